import { Module } from '@nestjs/common';
import { Sweeper } from '../../platform/retention/sweeper.service.js';
import { oldRevocations } from './old-revocations.js';
import { RevocationFeed } from './revocation-feed.service.js';

/** Revocations, and the feed that brings them to every node. */
@Module({ providers: [RevocationFeed], exports: [RevocationFeed] })
export class RevocationModule {
  constructor(sweeper: Sweeper) {
    sweeper.add(oldRevocations());
  }
}
