import { defineEntity, p } from '@mikro-orm/core';
import { User } from '../../../users/user.entity.js';

/** A user's TOTP authenticator (RFC 6238). It counts once confirmed; its seed is encrypted under AUTH_SECRETS. */
export const TotpAuthenticatorSchema = defineEntity({
  name: 'TotpAuthenticator',
  tableName: 'totp_authenticators',
  properties: {
    user: () => p.manyToOne(User).primary().deleteRule('cascade'),
    /** null until the first one is confirmed. */
    seed: p.blob().$type<Buffer>().nullable().hidden().lazy(),
    /** The seed of its replacement, until that is confirmed. */
    pendingSeed: p.blob().$type<Buffer>().nullable().hidden().lazy(),
    pendingAt: p.datetime().nullable(),
    confirmedAt: p.datetime().nullable(),
    /** The time step of the last accepted code: its code and older ones are consumed. */
    lastStep: p.bigint('number').defaultRaw('0'),
    createdAt: p.datetime().defaultRaw('now()'),
  },
  checks: [
    {
      name: 'totp_authenticators_confirmed_with_seed',
      expression: '(seed is null) = (confirmed_at is null)',
    },
    {
      name: 'totp_authenticators_pending_since',
      expression: '(pending_seed is null) = (pending_at is null)',
    },
  ],
});

export class TotpAuthenticator extends TotpAuthenticatorSchema.class {}
TotpAuthenticatorSchema.setClass(TotpAuthenticator);
