import { z } from 'zod';
import { personalNameSchema } from '../../users/users.dto.js';
import { transportSchema } from '../auth.dto.js';
import {
  ASSERTION_EXAMPLE,
  assertionSchema,
  CHALLENGE_EXAMPLE,
  REGISTRATION_EXAMPLE,
  registrationResponseSchema,
} from './webauthn.dto.js';

const nameSchema = personalNameSchema.meta({ description: 'What you call it, to know it in the list.' });
const endOtherSessionsMeaning = 'Also ends all other sessions of the caller. They stay by default.';

export const registrationSchema = z
  .strictObject({
    credential: registrationResponseSchema,
    name: nameSchema.optional().meta({
      description: 'What you call it; where it was made, such as `Firefox 133 on Linux`, by default.',
    }),
    end_other_sessions: z
      .boolean({ error: 'must be true or false' })
      .optional()
      .meta({ description: endOtherSessionsMeaning }),
  })
  .meta({ id: 'PasskeyRegistration', examples: [{ credential: REGISTRATION_EXAMPLE, name: 'My phone' }] });
export type RegistrationBody = z.output<typeof registrationSchema>;

export const assertionOptionsSchema = z
  .strictObject({
    mfa_token: z
      .string({ error: 'must be a string' })
      .max(200, { error: 'must have 200 characters at most' })
      .optional()
      .meta({ description: 'Of the sign-in that the passkey is the second factor of.' }),
    purpose: z
      .enum(['sign_in', 'reauthentication'], { error: 'must be sign_in or reauthentication' })
      .optional()
      .meta({
        description:
          'With `reauthentication`, for `POST /reauthenticate` in the session of this request. `sign_in` by default.',
      }),
  })
  .refine((body) => body.mfa_token === undefined || body.purpose !== 'reauthentication', {
    path: ['purpose'],
    error: 'cannot be reauthentication with an mfa_token',
  })
  .optional()
  .meta({ id: 'PasskeyRequest', examples: [{ purpose: 'sign_in' }] });
export type AssertionOptionsBody = z.output<typeof assertionOptionsSchema>;

export const passkeySignInSchema = z
  .strictObject({ credential: assertionSchema, transport: transportSchema.optional() })
  .meta({ id: 'PasskeySignIn', examples: [{ credential: ASSERTION_EXAMPLE }] });
export type PasskeySignInBody = z.output<typeof passkeySignInSchema>;

export const passkeyParamsSchema = z
  .strictObject({
    id: z.string().meta({ format: 'uuid', description: 'The id of a passkey of yours.' }),
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
  name: 'My phone',
  created_at: '2026-11-22T12:00:00.000Z',
  last_used_at: null,
  is_backed_up: true,
  transports: ['hybrid', 'internal'],
  aaguid: 'ea9b8d66-4d01-1d21-3ce4-b6b48cb575d4',
};

export const passkeySchema = z
  .object({
    id: z.uuid(),
    name: z.string(),
    created_at: z.iso.datetime(),
    last_used_at: z.iso.datetime().nullable(),
    is_backed_up: z
      .boolean()
      .meta({ description: 'Whether there is a copy of it elsewhere, as at its last use.' }),
    transports: z.array(z.string()).meta({ description: 'How browsers reach it.' }),
    aaguid: z
      .string()
      .meta({ description: 'The model of the authenticator, as it says; zeros where it does not.' }),
  })
  .meta({ id: 'Passkey', examples: [EXAMPLE_PASSKEY] });
export type PasskeyReply = z.output<typeof passkeySchema>;

export const passkeysReplySchema = z
  .object({ passkeys: z.array(passkeySchema) })
  .meta({ id: 'Passkeys', examples: [{ passkeys: [EXAMPLE_PASSKEY] }] });
export type PasskeysReply = z.output<typeof passkeysReplySchema>;

const descriptorsSchema = z.array(
  z.object({ id: z.string(), type: z.literal('public-key'), transports: z.array(z.string()).optional() }),
);
const challengeSchema = z.string().meta({ description: 'Can be answered once, within five minutes.' });
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
      residentKey: z.string(),
      requireResidentKey: z.boolean(),
      userVerification: z.string(),
    }),
    extensions: z.object({ credProps: z.boolean() }),
    hints: z.array(z.string()),
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
      description: 'Empty at a sign-in: the authenticator says who it is.',
    }),
    timeout: timeoutSchema,
    userVerification: z.string(),
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
