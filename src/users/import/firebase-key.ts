import { readPasswordHash } from '../passwords/formats/password-hash.js';

/** The hash parameters of a Firebase project, as its console shows them under _Password hash parameters_. */
export interface FirebaseKey {
  readonly signerKey: string;
  readonly saltSeparator: string;
  readonly rounds: number;
  readonly memCost: number;
}

/** `firebase-scrypt$<salt>$<hash>`: the parameters of the project come from its key. */
const SHORT = /^firebase-scrypt\$([A-Za-z0-9+/_=-]+)\$([A-Za-z0-9+/_=-]+)$/;

/**
 * Reads the parameters in the console's own format or in JSON: `base64_signer_key`, `base64_salt_separator`, `rounds`
 * and `mem_cost`.
 *
 * @returns null if one of them is missing or invalid.
 */
export function readFirebaseKey(text: string): FirebaseKey | null {
  const find = (name: string) => new RegExp(`"?${name}"?\\s*:\\s*"?([A-Za-z0-9+/_=-]+)"?`).exec(text)?.[1];
  const key = {
    signerKey: find('base64_signer_key') ?? '',
    saltSeparator: find('base64_salt_separator') ?? '',
    rounds: Number(find('rounds')),
    memCost: Number(find('mem_cost')),
  };
  const signerBytes = Buffer.from(key.signerKey, 'base64').length;
  const trial = completeFirebaseHash(
    `firebase-scrypt$AAAAAAAAAAA=$${Buffer.alloc(signerBytes).toString('base64')}`,
    key,
  );
  return trial !== null && typeof readPasswordHash(trial) === 'object' ? key : null;
}

/** The stored form of a hash, from the short form; null for another format. */
export function completeFirebaseHash(text: string, key: FirebaseKey): string | null {
  const [, salt, hash] = SHORT.exec(text) ?? [];
  if (salt === undefined || hash === undefined) return null;
  const parts = [key.saltSeparator, key.signerKey, salt, hash].map(standard);
  return [`firebase-scrypt$ln=${key.memCost},r=${key.rounds}`, ...parts].join('$');
}

/** Standard base64: Firebase also writes the URL-safe alphabet. */
function standard(base64: string): string {
  return base64.replaceAll('-', '+').replaceAll('_', '/').replace(/=+$/, '');
}
