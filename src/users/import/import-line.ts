import { v7 as uuidv7 } from 'uuid';
import { z } from 'zod';
import { optional } from '../../platform/http/absent.js';
import { describeProblems, fieldProblems } from '../../platform/problems/validation.js';
import { canonicalEmail } from '../email.js';
import type { PasswordHash } from '../passwords/formats/hash-format.js';
import type { HashCosts } from '../passwords/hash-costs.js';
import { isAffordable, readPasswordHash } from '../passwords/formats/password-hash.js';
import { emailSchema, personalNameSchema } from '../users.dto.js';
import { completeFirebaseHash, type FirebaseKey } from './firebase-key.js';

/** An account in a line of a file. An import reads what an export writes. */
const lineSchema = z.strictObject({
  email: emailSchema,
  /** null for a user who must choose a password by mail, or signs in by other means. */
  password_hash: z.string({ error: 'must be a string, or null for none' }).nullable(),
  created_at: optional(
    z.iso
      .datetime({ offset: true, error: 'must be a time such as 2026-11-22T12:00:00Z' })
      .refine((time) => Date.parse(time) >= 0, { error: 'must not be before 1970' }),
  ),
  email_verified: optional(z.boolean({ error: 'must be true or false' })),
  name: optional(personalNameSchema),
  role: optional(z.literal('user', { error: 'must be user: create administrators one by one' })),
  disabled: optional(z.boolean({ error: 'must be true or false' })),
  password_compromised: optional(z.boolean({ error: 'must be true or false' })),
  id: optional(z.uuid({ error: 'must be a UUID' })),
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

/** The result for a line: an account with the format of its hash, or a reason why it cannot be imported. */
export type LineReading =
  { readonly row: ImportedRow; readonly hash: PasswordHash | null } | { readonly reason: string };

export interface LineOptions {
  readonly firebaseKey: FirebaseKey | null;
  /** The cost of a hash with the configured parameters. */
  readonly own: Pick<PasswordHash, 'work' | 'memory'>;
  /** The response-time floor that hashes may need; null if the operator accepts any. */
  readonly floorMaxMs: number | null;
  readonly costs: HashCosts;
}

const REASON_MAX = 1_000;
const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Reads a line. The reason names fields and never contains a hash. */
export async function readImportLine(bytes: Buffer, options: LineOptions): Promise<LineReading> {
  let json: unknown;
  try {
    json = JSON.parse(utf8.decode(bytes));
  } catch {
    return { reason: 'it is not JSON in UTF-8' };
  }
  const parsed = lineSchema.safeParse(json);
  const hash = hashOf(json, options);
  const problems = [
    ...(parsed.success ? [] : fieldProblems(parsed.error.issues)),
    ...('problem' in hash ? [{ path: 'password_hash', message: hash.problem }] : []),
  ];
  if (!parsed.success || 'problem' in hash) return { reason: explain(problems) };
  const { email, created_at, name, email_verified, disabled, password_compromised, id } = parsed.data;
  const floorMs = hash.read === null ? 0 : await options.costs.floorOf([hash.read]);
  if (hash.read !== null && options.floorMaxMs !== null && floorMs > options.floorMaxMs)
    return {
      reason: `password_hash: ${hash.read.format} would slow every negative answer down to ${inSeconds(floorMs)}, and ANSWER_FLOOR_MAX is ${inSeconds(options.floorMaxMs)}; --force imports it`,
    };
  const row = {
    id: id?.toLowerCase() ?? uuidv7(),
    email,
    email_canonical: canonicalEmail(email) ?? '',
    password_hash: hash.text,
    name: name ?? null,
    is_verified: email_verified ?? false,
    is_disabled: disabled ?? false,
    is_compromised: password_compromised ?? false,
    created_at: created_at ?? null,
  };
  return { row, hash: hash.read };
}

/** Milliseconds as seconds. */
export function inSeconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

/** The hash of a line as it is stored, and as it is read; null for none. */
type LineHash = { readonly text: string | null; readonly read: PasswordHash | null };

/** Reads the hash also of a line with other problems, so that all are reported together. */
function hashOf(json: unknown, { firebaseKey, own }: LineOptions): LineHash | { readonly problem: string } {
  const given =
    typeof json === 'object' && json !== null && 'password_hash' in json ? json.password_hash : null;
  // The schema reports a value of another type.
  if (typeof given !== 'string') return { text: null, read: null };
  const text = firebaseKey === null ? given : (completeFirebaseHash(given, firebaseKey) ?? given);
  const read = readPasswordHash(text);
  if (read === 'other') return { problem: 'has an unknown format' };
  if (read === 'damaged') return { problem: 'is damaged, or has unusual parameters' };
  if (!isAffordable(read, own)) return { problem: `${read.format} is too expensive to verify` };
  return { text, read };
}

/** All problems. Names of unknown fields come from the file: they are escaped before they reach a terminal. */
function explain(problems: ReturnType<typeof fieldProblems>): string {
  return describeProblems(problems, 'line').replace(/\p{C}/gu, '?').slice(0, REASON_MAX);
}
