import { encode, type Forge, type Members } from './forge.js';
import type { Draft } from './vector.document.js';

const HOUR = 3600;

/** Correctly signed tokens that are not for this service or not for this time: to be refused. */
export function claimsVectors(forge: Forge): Draft[] {
  return [...issuers(forge), ...audiences(forge), ...times(forge), ...subjects(forge)];
}

interface Group {
  readonly reason: string;
  readonly standard: string;
}

type Row = readonly [id: string, description: string, claims: Members];

function drafts(forge: Forge, { reason, standard }: Group, rows: readonly Row[]): Draft[] {
  return rows.map(([id, description, claims]) => ({
    id,
    description,
    reason,
    standard,
    token: forge.token({ claims }),
  }));
}

function issuers(forge: Forge): Draft[] {
  const { issuer } = forge;
  const group = { reason: '"iss" is exactly the issuer that you trust', standard: 'RFC 7519 §4.1.1' };
  return [
    ...drafts(forge, group, [
      ['iss-wrong', '"iss" is another issuer', { iss: 'https://evil.example' }],
      ['iss-missing', '"iss" is missing', { iss: undefined }],
      ['iss-longer', '"iss" begins with yours', { iss: `${issuer}.evil.example` }],
      ['iss-slash', '"iss" is yours with a slash after it', { iss: `${issuer}/` }],
    ]),
    ...drafts(forge, { ...group, reason: '"iss" is a string (CVE-2025-30144)' }, [
      ['iss-list', '"iss" is a list with yours in it', { iss: [issuer, 'https://evil.example'] }],
    ]),
  ];
}

function audiences(forge: Forge): Draft[] {
  const { audience } = forge;
  const group = {
    reason: 'another recipient could forward its token to you',
    standard: 'RFC 7519 §4.1.3',
  };
  return drafts(forge, group, [
    ['aud-wrong', '"aud" is another service', { aud: 'https://other.example' }],
    ['aud-missing', '"aud" is missing', { aud: undefined }],
    ['aud-longer', '"aud" begins with yours', { aud: `${audience}.evil.example` }],
    ['aud-list-of-others', '"aud" is a list without you', { aud: ['https://other.example', 'urn:x'] }],
    ['aud-list-empty', '"aud" is an empty list', { aud: [] }],
  ]);
}

function times(forge: Forge): Draft[] {
  const { now } = forge;
  const past = { iat: now - 3 * HOUR, nbf: now - 3 * HOUR };
  return [
    ...drafts(forge, { reason: 'it is over', standard: 'RFC 7519 §4.1.4' }, [
      ['exp-past', 'it expired an hour ago', { ...past, exp: now - HOUR }],
      ['exp-zero', '"exp" is 0', { exp: 0 }],
    ]),
    ...drafts(forge, { reason: 'more than a minute of leeway is too much', standard: 'RFC 7519 §4.1.4' }, [
      ['exp-two-minutes-past', 'it expired two minutes ago', { ...past, exp: now - 120 }],
    ]),
    ...drafts(forge, { reason: 'without "exp" a token is valid forever', standard: 'RFC 9068 §2.2' }, [
      ['exp-missing', '"exp" is missing', { exp: undefined }],
    ]),
    ...drafts(forge, { reason: 'a time is a number', standard: 'RFC 7519 §2' }, [
      ['exp-text', '"exp" is a text of digits', { exp: String(now + 8 * HOUR) }],
    ]),
    ...drafts(forge, { reason: 'it is not valid yet', standard: 'RFC 7519 §4.1.5' }, [
      ['nbf-future', '"nbf" is a day ahead', { nbf: now + 24 * HOUR, exp: now + 25 * HOUR }],
    ]),
  ];
}

function subjects(forge: Forge): Draft[] {
  const group = { reason: 'an access token names its subject', standard: 'RFC 9068 §2.2' };
  return [
    ...drafts(forge, group, [['sub-missing', '"sub" is missing', { sub: undefined }]]),
    {
      id: 'claims-list',
      description: 'the claims are a list with an object in it, correctly signed',
      reason: 'the claims are one JSON object',
      standard: 'RFC 7519 §7.2',
      token: forge.seal(encode(forge.header()), encode([forge.claims()])),
    },
  ];
}
