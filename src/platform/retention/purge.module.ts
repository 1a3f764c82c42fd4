import { Global, Module } from '@nestjs/common';
import { Purger } from './purger.service.js';

/** Purges expired rows. Global, because every feature has some. */
@Global()
@Module({ providers: [Purger], exports: [Purger] })
export class PurgeModule {}
