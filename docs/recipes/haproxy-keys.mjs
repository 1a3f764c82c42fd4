// Writes the public keys of the issuer for HAProxy: 1.pem, 2.pem, 3.pem, and a map from `kid` to file.
import { createPublicKey } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

const { JWKS_URL, KEYS } = process.env;
const reply = await fetch(JWKS_URL);
if (!reply.ok) throw new Error(`${JWKS_URL} answers ${reply.status}`);
const { keys } = await reply.json();
// Traffy has at most three keys of one algorithm between two rotations, the newest first.
const usable = keys.filter(({ alg }) => alg === 'ES256').slice(0, 3);
if (usable.length === 0) throw new Error('no key for ES256');

const pems = usable.map((jwk) =>
  createPublicKey({ key: jwk, format: 'jwk' }).export({ format: 'pem', type: 'spki' }),
);
for (const slot of [0, 1, 2]) writeFileSync(join(KEYS, `${slot + 1}.pem`), pems[slot] ?? pems[0]);
writeFileSync(join(KEYS, 'kids.map'), usable.map(({ kid }, slot) => `${kid} ${slot + 1}\n`).join(''));
