import { Global, Module } from '@nestjs/common';
import { Sweeper } from './sweeper.service.js';

/** Purges expired rows. Global, because every feature has some. */
@Global()
@Module({ providers: [Sweeper], exports: [Sweeper] })
export class SweepModule {}
