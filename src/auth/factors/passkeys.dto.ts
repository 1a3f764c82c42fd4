import { z } from 'zod';
import { optional } from '../../platform/http/absent.js';
import { personalNameSchema } from '../../users/users.dto.js';
import { transportSchema } from '../credentials/credential.dto.js';
import {
  ASSERTION_EXAMPLE,
  assertionSchema,
  CHALLENGE_EXAMPLE,
  REGISTRATION_EXAMPLE,
  registrationResponseSchema,
  transportsSchema,
} from './passkeys/webauthn.dto.js';

const nameSchema = personalNameSchema.meta({ description: 'The name that you see in the list.' });
const endOtherSessionsMeaning = 'Whether to end all other sessions of the caller; false by default.';

export const registrationOptionsSchema = optional(
  z.strictObject({
    conditional: optional(z.boolean({ error: 'must be true or false' })).meta({
      description:
        'Whether the browser registers without a prompt (`mediation: "conditional"`); false by default.',
    }),
  }),
).meta({ id: 'PasskeyRegistrationRequest', examples: [{ conditional: false }] });
export type RegistrationOptionsBody = z.output<typeof registrationOptionsSchema>;

export const registrationSchema = z
  .strictObject({
    credential: registrationResponseSchema,
    name: optional(nameSchema).meta({
      description: 'A name; by default the browser and system, such as `Firefox 133 on Linux`.',
    }),
    end_other_sessions: optional(z.boolean({ error: 'must be true or false' })).meta({
      description: endOtherSessionsMeaning,
    }),
  })
  .meta({ id: 'PasskeyRegistration', examples: [{ credential: REGISTRATION_EXAMPLE, name: 'My phone' }] });
export type RegistrationBody = z.output<typeof registrationSchema>;

export const assertionOptionsSchema = optional(
  z
    .strictObject({
      mfa_token: optional(
        z.string({ error: 'must be a string' }).max(200, { error: 'must have 200 characters at most' }),
      ).meta({ description: 'The `mfa_token` of a sign-in, to use the passkey as its second factor.' }),
      purpose: optional(
        z.enum(['sign_in', 'reauthentication'], { error: 'must be sign_in or reauthentication' }),
      ).meta({
        description:
          'With `reauthentication`, for `POST /reauthenticate` in the session of this request. `sign_in` by default.',
      }),
    })
    .refine((body) => body.mfa_token === undefined || body.purpose !== 'reauthentication', {
      path: ['purpose'],
      error: 'cannot be reauthentication with an mfa_token',
    }),
).meta({ id: 'PasskeyRequest', examples: [{ purpose: 'sign_in' }] });
export type AssertionOptionsBody = z.output<typeof assertionOptionsSchema>;

export const passkeySignInSchema = z
  .strictObject({ credential: assertionSchema, transport: optional(transportSchema) })
  .meta({ id: 'PasskeySignIn', examples: [{ credential: ASSERTION_EXAMPLE }] });
export type PasskeySignInBody = z.output<typeof passkeySignInSchema>;

export const passkeyParamsSchema = z
  .strictObject({
    id: z.string().meta({ format: 'uuid', description: 'The id of one of your passkeys.' }),
  })
  .meta({ examples: [{ id: '019a0000-0000-7000-8000-000000000004' }] });
export type PasskeyParams = z.output<typeof passkeyParamsSchema>;

export const passkeyChangeSchema = z
  .strictObject({ name: nameSchema })
  .meta({ id: 'PasskeyChange', examples: [{ name: 'My phone' }] });
export type PasskeyChangeBody = z.output<typeof passkeyChangeSchema>;

export const passkeyRemovalSchema = z.strictObject({
  end_other_sessions: z
    .enum(['true', 'false'], { error: 'must be true or false' })
    .optional()
    .meta({ description: endOtherSessionsMeaning }),
});
export type PasskeyRemovalQuery = z.output<typeof passkeyRemovalSchema>;

const EXAMPLE_PASSKEY = {
  id: '019a0000-0000-7000-8000-000000000004',
  credential_id: 'yPZ6xVZt0T0L0o0L4n2c7g',
  name: 'My phone',
  created_at: '2026-11-22T12:00:00.000Z',
  last_used_at: null,
  is_backed_up: true,
  transports: ['hybrid', 'internal'],
  aaguid: 'ea9b8d66-4d01-1d21-3ce4-b6b48cb575d4',
  is_disabled: false,
};

export const passkeySchema = z
  .object({
    id: z.uuid(),
    credential_id: z.string().meta({ description: 'Its id for authenticators, in base64url.' }),
    name: z.string(),
    created_at: z.iso.datetime(),
    last_used_at: z.iso.datetime().nullable(),
    is_backed_up: z.boolean().meta({ description: 'Whether it was backed up at its last use.' }),
    transports: transportsSchema,
    aaguid: z
      .string()
      .meta({ description: 'The model of the authenticator, as it reports it; zeros if it does not.' }),
    is_disabled: z
      .boolean()
      .meta({ description: 'Whether its key is not secure, so that it no longer signs in: remove it.' }),
  })
  .meta({ id: 'Passkey', examples: [EXAMPLE_PASSKEY] });
export type PasskeyReply = z.output<typeof passkeySchema>;

export const passkeysReplySchema = z
  .object({
    passkeys: z.array(passkeySchema),
    rp_id: z.string().meta({ description: 'The relying party, for the WebAuthn Signal API.' }),
    user_handle: z.string().nullable().meta({
      description:
        'The user handle in base64url, for the WebAuthn Signal API; null before the first passkey.',
    }),
  })
  .meta({
    id: 'Passkeys',
    examples: [
      {
        passkeys: [EXAMPLE_PASSKEY],
        rp_id: 'localhost',
        user_handle: 'q5bR0m1cT0Zt4o3JbLrjI3gX1n5sS3lDqYwq0k0yA1m2n3o4p5q6r7s8t9u0v1w2x3y4z5A6B7C8D9E0F1G2Hg',
      },
    ],
  });
export type PasskeysReply = z.output<typeof passkeysReplySchema>;

const descriptorsSchema = z.array(
  z.object({ id: z.string(), type: z.literal('public-key'), transports: transportsSchema.optional() }),
);
/** `ResidentKeyRequirement` and `UserVerificationRequirement` of WebAuthn. */
const requirementSchema = z.enum(['discouraged', 'preferred', 'required']);
const challengeSchema = z.string().meta({ description: 'Valid for one answer, within five minutes.' });
const timeoutSchema = z.int().meta({ description: 'Milliseconds.' });

/** `PublicKeyCredentialCreationOptionsJSON`. */
export const creationOptionsSchema = z
  .object({
    challenge: challengeSchema,
    rp: z.object({ id: z.string(), name: z.string() }),
    user: z.object({
      id: z.string().meta({ description: '64 random bytes: the user handle.' }),
      name: z.string(),
      displayName: z.string(),
    }),
    pubKeyCredParams: z.array(z.object({ alg: z.int(), type: z.literal('public-key') })),
    timeout: timeoutSchema,
    attestation: z.literal('none'),
    excludeCredentials: descriptorsSchema,
    authenticatorSelection: z.object({
      residentKey: requirementSchema,
      requireResidentKey: z.boolean(),
      userVerification: requirementSchema,
    }),
    extensions: z.object({ credProps: z.boolean() }),
    hints: z.array(z.enum(['security-key', 'client-device', 'hybrid'])),
  })
  .meta({
    id: 'PasskeyCreationOptions',
    examples: [
      {
        challenge: CHALLENGE_EXAMPLE,
        rp: { id: 'localhost', name: 'Traffy' },
        user: {
          id: 'q5bR0m1cT0Zt4o3JbLrjI3gX1n5sS3lDqYwq0k0yA1m2n3o4p5q6r7s8t9u0v1w2x3y4z5A6B7C8D9E0F1G2Hg',
          name: 'test@example.com',
          displayName: 'test@example.com',
        },
        pubKeyCredParams: [{ alg: -7, type: 'public-key' }],
        timeout: 300_000,
        attestation: 'none',
        excludeCredentials: [],
        authenticatorSelection: {
          residentKey: 'required',
          requireResidentKey: true,
          userVerification: 'preferred',
        },
        extensions: { credProps: true },
        hints: [],
      },
    ],
  });
export type CreationOptions = z.output<typeof creationOptionsSchema>;

/** `PublicKeyCredentialRequestOptionsJSON`. */
export const requestOptionsSchema = z
  .object({
    rpId: z.string(),
    challenge: challengeSchema,
    allowCredentials: descriptorsSchema.meta({
      description: 'Empty at a sign-in: the passkey identifies its user.',
    }),
    timeout: timeoutSchema,
    userVerification: requirementSchema,
  })
  .meta({
    id: 'PasskeyRequestOptions',
    examples: [
      {
        rpId: 'localhost',
        challenge: CHALLENGE_EXAMPLE,
        allowCredentials: [],
        timeout: 300_000,
        userVerification: 'required',
      },
    ],
  });
export type RequestOptions = z.output<typeof requestOptionsSchema>;
