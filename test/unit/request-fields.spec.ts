import { describe, expect, it } from '@jest/globals';
import type { z } from 'zod';
import { mailedTokenSchema } from '../../src/account/mail-links/recovery.dto.js';
import { refreshTokenSchema, transportSchema } from '../../src/auth/credentials/credential.dto.js';
import { assertionOptionsSchema } from '../../src/auth/factors/passkeys.dto.js';
import { assertionSchema, registrationResponseSchema } from '../../src/auth/factors/passkeys/webauthn.dto.js';
import { recoveryCodeSchema } from '../../src/auth/factors/recovery-codes/recovery-codes.dto.js';
import {
  totpCodeSchema,
  totpConfirmSchema,
  totpRemovalSchema,
} from '../../src/auth/factors/totp/totp.dto.js';
import { logoutQuerySchema } from '../../src/auth/sign-in/auth.dto.js';
import { reauthenticateSchema } from '../../src/auth/sign-in/step-up/step-up.dto.js';
import { validationProblem } from '../../src/platform/problems/validation.js';
import { emailSchema, passwordSchema, personalNameSchema } from '../../src/users/users.dto.js';

const text = (length: number, character = 'a') => character.repeat(length);

/** What a client reads about a value; nothing if it is accepted. */
function errorsOf(schema: z.ZodType, value: unknown): string[] {
  const { error } = schema.safeParse(value);
  if (!error) return [];
  const { errors } = validationProblem(error.issues).body('') as {
    errors: { path: string; message: string }[];
  };
  return errors.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`));
}

const BYTES = 'AAAA';
const credential = (response: object, changes: object = {}) => ({
  id: BYTES,
  rawId: BYTES,
  type: 'public-key',
  response: { clientDataJSON: BYTES, ...response },
  ...changes,
});
const registration = (changes: object = {}, response: object = {}) =>
  credential({ attestationObject: BYTES, ...response }, changes);
const assertion = (response: object = {}) =>
  credential({ authenticatorData: BYTES, signature: BYTES, ...response });

interface Field {
  readonly schema: z.ZodType;
  readonly accepted: readonly unknown[];
  /** Refused values by what the client reads. */
  readonly refused: Readonly<Record<string, readonly unknown[]>>;
}

const FIELDS: Readonly<Record<string, Field>> = {
  'an e-mail address': {
    schema: emailSchema,
    accepted: ['ada@example.com'],
    refused: { 'must be a string': [null, 7, {}] },
  },
  'a password': {
    schema: passwordSchema,
    accepted: ['', 'a', text(1024), text(512, 'é')],
    refused: {
      'must be a string': [null, 7, ['a']],
      'must have 1024 bytes at most': [text(1025), text(513, 'é')],
      'must not contain NUL or unpaired surrogates': ['a\0b', 'a\ud800'],
    },
  },
  'a name': {
    schema: personalNameSchema,
    accepted: ['A', 'Ada Lovelace', text(100), text(100, '😀')],
    refused: {
      'must be a string, or null for none': [7, {}],
      'must have 1 to 100 characters': ['', ' ', text(101), text(101, '😀')],
      'must be one line, without control characters': ['a\nb', 'a\u2028b', 'a\u2029b', 'a\0b', 'a\ud800'],
    },
  },
  'a transport': {
    schema: transportSchema,
    accepted: ['bearer', 'cookie'],
    refused: { 'must be bearer or cookie': ['Bearer', 'header', 7] },
  },
  'a refresh token': {
    schema: refreshTokenSchema,
    accepted: ['trf_rt_x', text(8192)],
    refused: { 'must be a string': [7], 'must have 8192 characters at most': [text(8193)] },
  },
  'the token of a mail': {
    schema: mailedTokenSchema,
    accepted: ['x', text(256)],
    refused: { 'must be a string': [7], 'must have 256 characters at most': [text(257)] },
  },
  'a code of an authenticator app': {
    schema: totpCodeSchema,
    accepted: ['123456', '123 456', ' 1 2 3 4 5 6 ', '123456\t'],
    refused: {
      'must be a string': [123_456],
      'must be the six digits that the app shows': [
        '',
        '12345',
        '1234567',
        'a123456',
        '123456a',
        '12a3456',
        '123-456',
        '１２３４５６',
      ],
      'must have 20 characters at most': [`${text(15, ' ')}123456`],
    },
  },
  'a recovery code': {
    schema: recoveryCodeSchema,
    accepted: ['', 'not a code', text(100)],
    refused: { 'must be a string': [7], 'must have 100 characters at most': [text(101)] },
  },
  'the confirmation of an authenticator app': {
    schema: totpConfirmSchema,
    accepted: [{ code: '123456' }, { code: '123456', end_other_sessions: true }],
    refused: {
      'end_other_sessions: must be true or false': [{ code: '123456', end_other_sessions: 'true' }],
      'code: must be a string': [{}],
    },
  },
  'the removal of an authenticator app': {
    schema: totpRemovalSchema,
    accepted: [{}, { end_other_sessions: 'true' }, { end_other_sessions: 'false' }],
    refused: { 'end_other_sessions: must be true or false': [{ end_other_sessions: 'yes' }] },
  },
  'the scope of a sign-out': {
    schema: logoutQuerySchema,
    accepted: [{}, { scope: 'local' }, { scope: 'others' }, { scope: 'global' }],
    refused: { 'scope: must be local, others or global': [{ scope: 'all' }, { scope: '' }] },
  },
  'a re-authentication': {
    schema: reauthenticateSchema,
    accepted: [
      { password: 'x' },
      { code: '123456' },
      { recovery_code: 'x', password: null },
      { credential: assertion() },
    ],
    refused: { 'password: must be given unless a factor is given': [{}, { password: null, code: '' }] },
  },
  'the purpose of a passkey': {
    schema: assertionOptionsSchema,
    accepted: [{ purpose: 'sign_in' }, { purpose: 'reauthentication' }, { mfa_token: text(200) }],
    refused: {
      'purpose: must be sign_in or reauthentication': [{ purpose: 'login' }],
      'mfa_token: must have 200 characters at most': [{ mfa_token: text(201) }],
      'mfa_token: must be a string': [{ mfa_token: 7 }],
      'purpose: cannot be reauthentication with an mfa_token': [
        { purpose: 'reauthentication', mfa_token: 'x' },
      ],
    },
  },
  'a new passkey': {
    schema: registrationResponseSchema,
    accepted: [
      registration(),
      registration({ id: text(1364) }),
      registration({}, { attestationObject: text(12_000) }),
      registration({}, { transports: ['usb', 'smart-card'], added: 1 }),
      registration({ clientExtensionResults: {} }),
      registration({}, { transports: Array.from({ length: 10 }, () => text(32)) }),
    ],
    refused: {
      'id: must be a string': [registration({ id: 7 })],
      'id: must be base64url without padding': [registration({ id: '' }), registration({ id: 'AA+=' })],
      'rawId: must be base64url without padding': [registration({ rawId: ' AAAA' })],
      'id: must have 1023 bytes at most': [registration({ id: text(1365) })],
      'type: must be public-key': [registration({ type: 'password' })],
      'response.attestationObject: must have 12000 characters at most': [
        registration({}, { attestationObject: text(12_001) }),
      ],
      'response.transports.0: must be a word': [
        registration({}, { transports: ['USB'] }),
        registration({}, { transports: [text(33)] }),
        registration({}, { transports: ['usb 2'] }),
      ],
      'response.transports: must have 10 entries at most': [
        registration({}, { transports: Array.from({ length: 11 }, () => 'usb') }),
      ],
    },
  },
  'the answer of a passkey': {
    schema: assertionSchema,
    accepted: [assertion(), assertion({ userHandle: '' }), assertion({ userHandle: null, added: 1 })],
    refused: {
      'response.signature: must be base64url without padding': [assertion({ signature: 'not base64url' })],
      'response.authenticatorData: must be a string': [assertion({ authenticatorData: null })],
      'response.userHandle: must have 12000 characters at most': [assertion({ userHandle: text(12_001) })],
    },
  },
};

describe.each(Object.entries(FIELDS))('%s', (_name, { schema, accepted, refused }) => {
  it('is accepted within its bounds', () => {
    for (const value of accepted)
      expect({ value, errors: errorsOf(schema, value) }).toEqual({ value, errors: [] });
  });

  it.each(Object.entries(refused))('%s', (message, values) => {
    for (const value of values)
      expect({ value, errors: errorsOf(schema, value) }).toEqual({
        value,
        errors: expect.arrayContaining([message]),
      });
  });
});
