import { v7 as uuidv7 } from 'uuid';
import { z } from 'zod';
import { canonicalEmail } from '../email.js';
import type { PasswordHash } from '../passwords/formats/hash-format.js';
import { isAffordable, readPasswordHash } from '../passwords/formats/password-hash.js';
import { emailSchema, personalNameSchema } from '../users.dto.js';
import { completeFirebaseHash, type FirebaseKey } from './firebase-key.js';

/** An account as a line of a file has it. What an export writes, an import reads. */
const lineSchema = z.strictObject({
  email: emailSchema,
  /** null for somebody who has to choose one by mail, or signs in by other means. */
  password_hash: z.string({ error: 'must be a string, or null for none' }).nullable(),
  created_at: z.iso
    .datetime({ offset: true, error: 'must be a time such as 2026-11-22T12:00:00Z' })
    .refine((time) => Date.parse(time) >= 0, { error: 'must not lie before 1970' })
    .optional(),
  email_verified: z.boolean({ error: 'must be true or false' }).optional(),
  name: personalNameSchema.nullish(),
  role: z.literal('user', { error: 'must be user: administrators are made one by one' }).optional(),
  disabled: z.boolean({ error: 'must be true or false' }).optional(),
  password_compromised: z.boolean({ error: 'must be true or false' }).optional(),
  id: z.uuid({ error: 'must be a UUID' }).optional(),
});

/** A row for the database, as JSON. */
export interface ImportedRow {
  readonly id: string;
  readonly email: string;
  readonly email_canonical: string;
  readonly password_hash: string | null;
  readonly name: string | null;
  readonly is_verified: boolean;
  readonly is_disabled: boolean;
  readonly is_compromised: boolean;
  readonly created_at: string | null;
}

/** What a line was: an account, with what there is to know of its hash, or nothing that can be imported. */
export type LineReading =
  { readonly row: ImportedRow; readonly hash: PasswordHash | null } | { readonly reason: string };

export interface LineOptions {
  readonly firebaseKey: FirebaseKey | null;
  /** What a hash of our own costs. */
  readonly own: Pick<PasswordHash, 'work' | 'memory'>;
}

const REASON_MAX = 200;
const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Reads a line. The reason names fields, and never shows a hash. */
export function readImportLine(bytes: Buffer, options: LineOptions): LineReading {
  let json: unknown;
  try {
    json = JSON.parse(utf8.decode(bytes));
  } catch {
    return { reason: 'it is not JSON in UTF-8' };
  }
  const parsed = lineSchema.safeParse(json);
  if (!parsed.success) return { reason: explain(parsed.error.issues) };
  const { email, created_at, name, email_verified, disabled, password_compromised, id } = parsed.data;
  const text = complete(parsed.data.password_hash, options);
  const hash = text === null ? null : readPasswordHash(text);
  if (hash === 'other') return { reason: 'password_hash: no format that we know' };
  if (hash === 'damaged') return { reason: 'password_hash: damaged, or with parameters that nobody uses' };
  if (hash !== null && !isAffordable(hash, options.own))
    return { reason: `password_hash: ${hash.format} that costs too much to verify` };
  const row = {
    id: id?.toLowerCase() ?? uuidv7(),
    email,
    email_canonical: canonicalEmail(email) ?? '',
    password_hash: text,
    name: name ?? null,
    is_verified: email_verified ?? false,
    is_disabled: disabled ?? false,
    is_compromised: password_compromised ?? false,
    created_at: created_at ?? null,
  };
  return { row, hash };
}

function complete(text: string | null, { firebaseKey }: LineOptions): string | null {
  return text === null || firebaseKey === null ? text : (completeFirebaseHash(text, firebaseKey) ?? text);
}

/** The first thing that is wrong. Names of unknown fields come from the file: nothing in them reaches a terminal as it is. */
function explain(issues: readonly { path: PropertyKey[]; message: string }[]): string {
  const [issue] = issues;
  const text = [...(issue?.path ?? []).map(String), issue?.message ?? 'it is wrong'].join(': ');
  return text.replace(/\p{C}/gu, '?').slice(0, REASON_MAX);
}
