import { z } from 'zod';
import { optional } from '../../../platform/http/absent.js';

/** WebAuthn Level 3 §5.1.3: the maximum length of a credential id. */
const CREDENTIAL_ID_BYTES_MAX = 1023;
const CREDENTIAL_ID_MAX = Math.ceil((CREDENTIAL_ID_BYTES_MAX * 4) / 3);
/** More than any authenticator sends, and less than the body limit. */
const PART_MAX = 12_000;

const base64url = z
  .string({ error: 'must be a string' })
  .regex(/^[A-Za-z0-9_-]+$/, { error: 'must be base64url without padding' });
const part = base64url.max(PART_MAX, { error: `must have ${PART_MAX} characters at most` });

const credentialIdSchema = base64url.max(CREDENTIAL_ID_MAX, {
  error: `must have ${CREDENTIAL_ID_BYTES_MAX} bytes at most`,
});

/** `AuthenticatorTransport` of WebAuthn, with the former name of `hybrid`. */
const TRANSPORTS = ['ble', 'cable', 'hybrid', 'internal', 'nfc', 'smart-card', 'usb'] as const;
type KnownTransport = (typeof TRANSPORTS)[number];

export const transportsSchema = z
  .array(z.enum(TRANSPORTS))
  .meta({ description: 'The transports of the authenticator, as far as they are known.' });

/** The transports that replies show. Browsers may report words of later versions of WebAuthn: all are stored. */
export function knownTransports(stored: readonly string[]): KnownTransport[] {
  return stored.flatMap((word) => TRANSPORTS.find((transport) => transport === word) ?? []);
}

const typeSchema = z.literal('public-key', { error: 'must be public-key' });

// Browsers write these fields and may add more: unknown fields are ignored.

/** `RegistrationResponseJSON` (WebAuthn Level 3 §5.1): the `toJSON()` of `navigator.credentials.create()`. */
export const registrationResponseSchema = z
  .object({
    id: credentialIdSchema,
    rawId: credentialIdSchema,
    type: typeSchema,
    response: z.object({
      clientDataJSON: part,
      attestationObject: part,
      transports: optional(z.array(z.string().regex(/^[a-z-]{1,32}$/, { error: 'must be a word' })).max(10)),
    }),
  })
  .meta({
    id: 'PasskeyAttestation',
    description:
      'The `toJSON()` of `navigator.credentials.create()`: `RegistrationResponseJSON` of WebAuthn.',
  });
export type RegistrationResponse = z.output<typeof registrationResponseSchema>;

/** `AuthenticationResponseJSON` (WebAuthn Level 3 §5.1): the `toJSON()` of `navigator.credentials.get()`. */
export const assertionSchema = z
  .object({
    id: credentialIdSchema,
    rawId: credentialIdSchema,
    type: typeSchema,
    response: z.object({
      clientDataJSON: part,
      authenticatorData: part,
      signature: part,
      userHandle: optional(part),
    }),
  })
  .meta({
    id: 'PasskeyAssertion',
    description: 'The `toJSON()` of `navigator.credentials.get()`: `AuthenticationResponseJSON` of WebAuthn.',
  });
export type AssertionResponse = z.output<typeof assertionSchema>;

/** Represents the answer of a browser in examples. */
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
