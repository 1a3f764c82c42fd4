import { encode, type Forge, signer } from './forge.js';
import type { Draft } from './vector.document.js';

/** The year 2106: more seconds than 32 bits can count. */
const FAR_FUTURE = 2 ** 32;

/** Tokens that a verifier accepts. */
export function goodVectors(forge: Forge): Draft[] {
  const { issuer, audience, next } = forge;
  return [
    {
      id: 'plain',
      description: 'an access token as Traffy issues it',
      reason: 'nothing is wrong with it',
      standard: 'RFC 9068 §4',
      token: forge.token(),
    },
    {
      id: 'audience-list',
      description: '"aud" is a list that names you and another service',
      reason: 'a token may be for several services',
      standard: 'RFC 7519 §4.1.3',
      token: forge.token({ claims: { aud: [`${issuer}/elsewhere`, audience] } }),
    },
    {
      id: 'typ-media-type',
      description: '"typ" is "application/at+jwt"',
      reason: 'the prefix may be written out',
      standard: 'RFC 9068 §4',
      token: forge.token({ header: { typ: 'application/at+jwt' } }),
    },
    {
      id: 'unknown-claims',
      description: 'it has unknown claims, an object among them',
      reason: 'unknown claims are ignored, so that an issuer can add some',
      standard: 'RFC 7519 §4',
      token: forge.token({ claims: { 'urn:example:new': { a: [1, null] }, scope: 'read' } }),
    },
    {
      id: 'unknown-header',
      description: 'its header has an unknown member that is not critical',
      reason: 'unknown header members are ignored',
      standard: 'RFC 7515 §4',
      token: forge.token({ header: { 'urn:example:trace': 'x' } }),
    },
    {
      id: 'expires-2106',
      description: 'it expires in the year 2106',
      reason: 'a time is a number, and 32 bits are not enough for it',
      standard: 'RFC 7519 §4.1.4',
      token: forge.token({ claims: { exp: FAR_FUTURE } }),
    },
    {
      id: 'second-key',
      description: 'signed by another key of the key set, which its "kid" names',
      reason: 'when keys rotate, the set holds several: "kid" decides, not the order',
      standard: 'RFC 7515 §4.1.4',
      token: forge.token({ header: { kid: next.kid }, signedBy: signer(next) }),
    },
  ];
}

/** Tokens on which correct verifiers differ: shown, not counted. */
export function debatableVectors(forge: Forge): Draft[] {
  const { now } = forge;
  const claims = JSON.stringify(forge.claims());
  return [
    {
      id: 'kid-missing',
      description: 'correctly signed, without "kid"',
      reason: 'trying every key of the set is allowed; tokens of Traffy always have a "kid"',
      standard: 'RFC 7515 §4.1.4',
      token: forge.token({ header: { kid: undefined } }),
    },
    {
      id: 'typ-upper-case',
      description: '"typ" is "AT+JWT"',
      reason: 'media types have no case; Traffy writes it in lower case',
      standard: 'RFC 7515 §4.1.9',
      token: forge.token({ header: { typ: 'AT+JWT' } }),
    },
    {
      id: 'iat-future',
      description: '"iat" is an hour ahead',
      reason: '"iat" is the age of a token; "nbf" is the start of its validity',
      standard: 'RFC 7519 §4.1.6',
      token: forge.token({ claims: { iat: now + 3600 } }),
    },
    {
      id: 'claim-twice',
      description: '"sub" occurs twice',
      reason: 'a parser refuses it or takes the last one',
      standard: 'RFC 7519 §4',
      token: forge.seal(encode(forge.header()), encode(`{"sub":"somebody-else",${claims.slice(1)}`)),
    },
    {
      id: 'signature-stray-bits',
      description: 'the last character of the signature has bits set that decode to nothing',
      reason: 'two encodings of one token are a problem for caches and lists; decoders may accept it',
      standard: 'RFC 4648 §3.5',
      token: withStrayBits(forge.token()),
    },
  ];
}

/** Another encoding of the last character of a token, which decodes to the same bytes. */
function withStrayBits(token: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const last = alphabet.indexOf(token.slice(-1));
  return `${token.slice(0, -1)}${alphabet[last + 1]}`;
}
