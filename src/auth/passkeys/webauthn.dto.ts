import { z } from 'zod';

/** WebAuthn Level 3 §5.1.3: no credential id is longer. */
const CREDENTIAL_ID_BYTES_MAX = 1023;
const CREDENTIAL_ID_MAX = Math.ceil((CREDENTIAL_ID_BYTES_MAX * 4) / 3);
/** More than any authenticator sends, and less than a body may have. */
const PART_MAX = 12_000;

const base64url = z
  .string({ error: 'must be a string' })
  .regex(/^[A-Za-z0-9_-]+$/, { error: 'must be base64url without padding' });
const part = base64url.max(PART_MAX, { error: `must have ${PART_MAX} characters at most` });

export const credentialIdSchema = base64url.max(CREDENTIAL_ID_MAX, {
  error: `must have ${CREDENTIAL_ID_BYTES_MAX} bytes at most`,
});

const typeSchema = z.literal('public-key', { error: 'must be public-key' });

// Browsers write these, and later ones may write more: fields that are not known are ignored.

/** `RegistrationResponseJSON` (WebAuthn Level 3 §5.1): what `navigator.credentials.create()` gives, by `toJSON()`. */
export const registrationResponseSchema = z
  .object({
    id: credentialIdSchema,
    rawId: credentialIdSchema,
    type: typeSchema,
    response: z.object({
      clientDataJSON: part,
      attestationObject: part,
      transports: z
        .array(z.string().regex(/^[a-z-]{1,32}$/, { error: 'must be a word' }))
        .max(10)
        .optional(),
    }),
  })
  .meta({
    description:
      'What `navigator.credentials.create()` gave, by `toJSON()`: `RegistrationResponseJSON` of WebAuthn.',
  });
export type RegistrationResponse = z.output<typeof registrationResponseSchema>;

/** `AuthenticationResponseJSON` (WebAuthn Level 3 §5.1): what `navigator.credentials.get()` gives, by `toJSON()`. */
export const assertionSchema = z
  .object({
    id: credentialIdSchema,
    rawId: credentialIdSchema,
    type: typeSchema,
    response: z.object({
      clientDataJSON: part,
      authenticatorData: part,
      signature: part,
      userHandle: part.nullish(),
    }),
  })
  .meta({
    description:
      'What `navigator.credentials.get()` gave, by `toJSON()`: `AuthenticationResponseJSON` of WebAuthn.',
  });
export type AssertionResponse = z.output<typeof assertionSchema>;

/** Stands for an answer of a browser in examples. */
export const ASSERTION_EXAMPLE = {
  id: 'Gk7PnBtxTsCkvLcWcCBUbQ',
  rawId: 'Gk7PnBtxTsCkvLcWcCBUbQ',
  type: 'public-key',
  response: {
    clientDataJSON: 'eyJ0eXBlIjoid2ViYXV0aG4uZ2V0In0',
    authenticatorData: 'SZYN5YgOjGh0NBcPZHZgW4_krrmihjLHmVzzuoMdl2MFAAAAAQ',
    signature: 'MEUCIQD',
    userHandle: 'AAECAwQFBgcICQ',
  },
} as const;

/** The same for a new passkey. */
export const REGISTRATION_EXAMPLE = {
  id: 'Gk7PnBtxTsCkvLcWcCBUbQ',
  rawId: 'Gk7PnBtxTsCkvLcWcCBUbQ',
  type: 'public-key',
  response: {
    clientDataJSON: 'eyJ0eXBlIjoid2ViYXV0aG4uY3JlYXRlIn0',
    attestationObject: 'o2NmbXRkbm9uZWdhdHRTdG10oGhhdXRoRGF0YVik',
    transports: ['hybrid', 'internal'],
  },
} as const;

export const CHALLENGE_EXAMPLE = '4TWQwEFcZsnTKUuEEYH6Ws3kzTTbOpmKzZlTtK9NPcM';
