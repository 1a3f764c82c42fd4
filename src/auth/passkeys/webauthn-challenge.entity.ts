import { defineEntity, p } from '@mikro-orm/core';
import { User } from '../../users/user.entity.js';

/** A challenge of a WebAuthn ceremony, until it is answered. */
const WebauthnChallengeSchema = defineEntity({
  name: 'WebauthnChallenge',
  tableName: 'webauthn_challenges',
  properties: {
    challenge: p.blob().primary(),
    ceremony: p.text(),
    user: () => p.manyToOne(User).deleteRule('cascade').nullable(),
    /** The session that asked, at a registration. */
    sessionId: p.uuid().nullable(),
    /** The sign-in that it is the second factor of. */
    mfaTokenHash: p.blob().nullable().hidden(),
    createdAt: p.datetime().defaultRaw('now()'),
    expiresAt: p.datetime(),
  },
  indexes: [
    { name: 'webauthn_challenges_user_id_index', properties: ['user'] },
    { name: 'webauthn_challenges_expires_at_index', properties: ['expiresAt'] },
  ],
  checks: [
    {
      name: 'webauthn_challenges_ceremony',
      expression: "ceremony = any (array['registration'::text, 'authentication'::text])",
    },
    { name: 'webauthn_challenges_challenge_is_32_bytes', expression: 'length(challenge) = 32' },
  ],
});

export class WebauthnChallenge extends WebauthnChallengeSchema.class {}
WebauthnChallengeSchema.setClass(WebauthnChallenge);
