import { Global, Module } from '@nestjs/common';
import { Sweeper } from './sweeper.service.js';

/** Deletes what is over. Global: every feature has rows that nobody needs any more. */
@Global()
@Module({ providers: [Sweeper], exports: [Sweeper] })
export class SweepModule {}
