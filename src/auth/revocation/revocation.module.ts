import { Module } from '@nestjs/common';
import { Purger } from '../../platform/retention/purger.service.js';
import { expiredRevocations } from './expired-revocations.js';
import { RevocationFeed } from './revocation-feed.service.js';

/** Revocations, and the feed that brings them to every node. */
@Module({ providers: [RevocationFeed], exports: [RevocationFeed] })
export class RevocationModule {
  constructor(purger: Purger) {
    purger.add(expiredRevocations());
  }
}
