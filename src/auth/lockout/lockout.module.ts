import { Module } from '@nestjs/common';
import { Sweeper } from '../../platform/retention/sweeper.service.js';
import { KnownDevices } from './known-devices.service.js';
import { Lockout } from './lockout.service.js';
import { oldGuessCounters } from './old-guess-counters.js';

/** Failed guesses, counted across all nodes, and known devices. */
@Module({ providers: [Lockout, KnownDevices], exports: [Lockout, KnownDevices] })
export class LockoutModule {
  constructor(sweeper: Sweeper) {
    sweeper.add(oldGuessCounters());
  }
}
