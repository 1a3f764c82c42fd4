import { Module } from '@nestjs/common';
import { Purger } from '../../platform/retention/purger.service.js';
import { KnownDevices } from './known-devices.service.js';
import { Lockout } from './lockout.service.js';
import { expiredGuessCounters } from './expired-guess-counters.js';

/** Failed guesses, counted across all nodes, and known devices. */
@Module({ providers: [Lockout, KnownDevices], exports: [Lockout, KnownDevices] })
export class LockoutModule {
  constructor(purger: Purger) {
    purger.add(expiredGuessCounters());
  }
}
