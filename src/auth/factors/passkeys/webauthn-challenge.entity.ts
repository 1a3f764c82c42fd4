import { defineEntity, p } from '@mikro-orm/core';
import { User } from '../../../users/user.entity.js';

/** A pending challenge of a WebAuthn ceremony. */
export const WebauthnChallengeSchema = defineEntity({
  name: 'WebauthnChallenge',
  tableName: 'webauthn_challenges',
  properties: {
    challenge: p.blob().$type<Buffer>().primary(),
    ceremony: p.text().$type<'registration' | 'authentication'>(),
    user: () => p.manyToOne(User).deleteRule('cascade').nullable(),
    /** The session that requested it, at a registration. */
    sessionId: p.uuid().nullable(),
    /** The half sign-in that it belongs to, as a second factor. */
    mfaTokenHash: p.blob().$type<Buffer>().nullable().hidden(),
    /** Whether the browser registers without a prompt (conditional create). */
    isConditional: p.boolean().defaultRaw('false'),
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
