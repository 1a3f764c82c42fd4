import { defineEntity, p } from '@mikro-orm/core';
import { User } from '../../users/user.entity.js';

/** A person's TOTP authenticator (RFC 6238). It counts once it is confirmed; its seed is encrypted under AUTH_SECRETS. */
const TotpAuthenticatorSchema = defineEntity({
  name: 'TotpAuthenticator',
  tableName: 'totp_authenticators',
  properties: {
    user: () => p.manyToOne(User).primary().deleteRule('cascade'),
    /** null until the first one is confirmed. */
    seed: p.blob().nullable().hidden().lazy(),
    /** The seed of one that is to take its place, until it is confirmed. */
    pendingSeed: p.blob().nullable().hidden().lazy(),
    pendingAt: p.datetime().nullable(),
    confirmedAt: p.datetime().nullable(),
    /** The time step of the last code that was accepted: it and older ones are used up. */
    lastStep: p.bigint('bigint').defaultRaw('0'),
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
