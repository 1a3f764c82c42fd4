import { Injectable } from '@nestjs/common';
import { Outbox } from '../../mail/outbox.service.js';
import type { Queries } from '../../platform/database/database.js';
import type { Client } from '../../platform/http/client.decorator.js';
import { KnownDevices } from '../lockout/known-devices.service.js';
import type { LiveSession } from '../sessions/session-state.js';

/** Failed guesses before a sign-in from which its user is warned. */
const MANY_FAILURES = 5;

/** Mails users about sign-ins that may not be theirs. */
@Injectable()
export class SignInMails {
  constructor(
    private readonly devices: KnownDevices,
    private readonly outbox: Outbox,
  ) {}

  /**
   * Stores the device of a sign-in, and mails its user if the device is new or the sign-in followed many failed
   * guesses.
   *
   * @param tx the transaction that creates the session.
   * @param failures consecutive failed guesses before it.
   */
  async send(
    tx: Queries,
    { userId, email: recipient }: LiveSession,
    failures: number,
    client: Client,
  ): Promise<'new' | 'known'> {
    const device = await this.devices.note(tx, userId, client);
    const params = { ip: client.ip, user_agent: client.userAgent ?? '' };
    if (failures >= MANY_FAILURES)
      await this.outbox.add(tx, {
        kind: 'sign_in_after_failures',
        userId,
        recipient,
        params: { ...params, failures: String(failures) },
      });
    else if (device === 'new') await this.outbox.add(tx, { kind: 'new_device', userId, recipient, params });
    return device;
  }
}
