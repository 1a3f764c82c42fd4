import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { openShared } from './support/app.js';

type Row = Readonly<Record<string, unknown>>;

/** Bytes as JSON that PostgreSQL reads as `bytea`. */
const bytes = (length: number) => `\\x${'ab'.repeat(length)}`;
const text = (length: number) => 'é'.repeat(length);

/** A column that holds so many bytes, and nothing else. */
const exactly = (column: string, length: number) => ({
  accepted: [{ [column]: bytes(length) }],
  refused: [{ [column]: bytes(length - 1) }, { [column]: bytes(length + 1) }, { [column]: bytes(0) }],
});

/** A column with one of these words. */
const oneOf = (column: string, words: readonly string[]) => ({
  accepted: words.map((word) => ({ [column]: word })),
  refused: ['another', '', words[0]?.toUpperCase()].map((word) => ({ [column]: word })),
});

/** Two columns of which both have a value or neither has. */
const together = (first: Row, second: Row) => ({
  accepted: [{ ...first, ...second }, {}],
  refused: [first, second],
});

const NOW = '2026-01-01T00:00:00Z';
const LATER = '2026-01-01T00:00:01Z';

/** Rows with only the columns that a check reads: what the database takes, and what it refuses by that check. */
const CHECKS: Readonly<Record<string, { accepted: readonly Row[]; refused: readonly Row[] }>> = {
  'audit_chain.audit_chain_is_one': { accepted: [{ one: 1 }], refused: [{ one: 2 }, { one: 0 }] },
  'audit_events.audit_events_hash_is_sha256': {
    accepted: [{ seq: 1, hash: bytes(32) }],
    refused: [
      { seq: 1, hash: bytes(31) },
      { seq: 1, hash: bytes(33) },
    ],
  },
  'audit_events.audit_events_sealed_with_hash': together({ seq: 1 }, { hash: bytes(32) }),
  'guess_counters.guess_counters_subject_is_sha256': exactly('subject', 32),
  'known_devices.known_devices_agent_hash_is_sha256': exactly('agent_hash', 32),
  'mfa_challenges.mfa_challenges_hash_is_sha256': exactly('token_hash', 32),
  'one_time_tokens.one_time_tokens_hash_is_sha256': exactly('token_hash', 32),
  'one_time_tokens.one_time_tokens_purpose': oneOf('purpose', [
    'verify_email',
    'change_email',
    'reset_password',
  ]),
  'outbox_mails.outbox_mails_nonce_is_32_bytes': exactly('nonce', 32),
  'outbox_mails.outbox_mails_state': oneOf('state', ['waiting', 'sent', 'dropped', 'shown']),
  'passkeys.passkeys_credential_id_length': {
    accepted: [{ credential_id: bytes(1) }, { credential_id: bytes(1023) }],
    refused: [{ credential_id: bytes(0) }, { credential_id: bytes(1024) }],
  },
  'passkeys.passkeys_name_length': {
    accepted: [{ name: text(1) }, { name: text(100) }],
    refused: [{ name: '' }, { name: text(101) }],
  },
  'recovery_codes.recovery_codes_hash_is_sha256': exactly('code_hash', 32),
  'refresh_tokens.refresh_tokens_hash_is_sha256': exactly('token_hash', 32),
  'revocations.revocations_kind': oneOf('kind', ['session', 'credential', 'user', 'all', 'key']),
  'service_clients.service_clients_secret_hash_is_sha256': exactly('secret_hash', 32),
  'sessions.sessions_exchange_hash_is_sha256': {
    accepted: [{ exchange_to: 'jwt', exchange_nonce: bytes(32), exchange_hash: bytes(32) }],
    refused: [31, 33].map((length) => ({
      exchange_to: 'jwt',
      exchange_nonce: bytes(32),
      exchange_hash: bytes(length),
    })),
  },
  'sessions.sessions_exchange_hash_within_exchange': {
    accepted: [{ exchange_to: 'jwt', exchange_nonce: bytes(32) }, {}],
    refused: [{ exchange_hash: bytes(32) }],
  },
  'sessions.sessions_exchange_with_nonce': together({ exchange_to: 'jwt' }, { exchange_nonce: bytes(32) }),
  'sessions.sessions_expires_after_creation': {
    accepted: [{ created_at: NOW, expires_at: LATER }],
    refused: [
      { created_at: NOW, expires_at: NOW },
      { created_at: LATER, expires_at: NOW },
    ],
  },
  'sessions.sessions_revoked_with_reason': together({ revoked_at: NOW }, { revoked_reason: 'logout' }),
  'sessions.sessions_secret_hash_is_sha256': exactly('secret_hash', 32),
  'signing_keys.signing_keys_state': oneOf('state', ['next', 'current', 'previous', 'retired']),
  'totp_authenticators.totp_authenticators_confirmed_with_seed': together(
    { seed: bytes(20) },
    { confirmed_at: NOW },
  ),
  'totp_authenticators.totp_authenticators_pending_since': together(
    { pending_seed: bytes(20) },
    { pending_at: NOW },
  ),
  'users.users_email_check': {
    accepted: [{ email: text(3) }, { email: text(320) }],
    refused: [{ email: text(2) }, { email: text(321) }],
  },
  'users.users_language': {
    accepted: [{ language: null }, { language: 'de' }],
    refused: [{ language: 'd' }, { language: 'deu' }, { language: 'DE' }, { language: '' }],
  },
  'users.users_name_check': { accepted: [{ name: text(100) }], refused: [{ name: text(101) }] },
  'users.users_role': oneOf('role', ['user', 'admin']),
  'users.users_webauthn_handle_is_64_bytes': exactly('webauthn_handle', 64),
  'webauthn_challenges.webauthn_challenges_ceremony': oneOf('ceremony', ['registration', 'authentication']),
  'webauthn_challenges.webauthn_challenges_challenge_is_32_bytes': exactly('challenge', 32),
};

let shared: Awaited<ReturnType<typeof openShared>>;
beforeAll(async () => {
  shared = await openShared();
});
afterAll(() => shared.close());

/** The constraint that refuses a row in which all other columns are null; null if the database takes it. */
async function refusedBy(table: string, row: Row): Promise<string | null> {
  const { database } = shared.running.database;
  const rollback = new Error('rollback');
  const inserted = database.transaction(async (tx) => {
    await tx.query(
      sql`create temporary table checked (like ${sql.id('public', table)} including constraints) on commit drop`,
    );
    const required = await tx.query(
      sql<{ name: string }>`select column_name as name from information_schema.columns
        where table_name = 'checked' and is_nullable = 'NO'`,
    );
    for (const { name } of required)
      await tx.query(sql`alter table checked alter column ${sql.id(name)} drop not null`);
    await tx.query(
      sql`insert into checked select * from jsonb_populate_record(null::checked, ${JSON.stringify(row)}::jsonb)`,
    );
    throw rollback;
  });
  const error: unknown = await inserted.catch((thrown: unknown) => thrown);
  if (error === rollback) return null;
  if (typeof error === 'object' && error !== null && 'constraint' in error) return String(error.constraint);
  throw error;
}

describe('the checks of the database', () => {
  it('are those that are tested here', async () => {
    const rows = await shared.running.database.database.query(
      sql<{ name: string }>`select table_name || '.' || constraint_name as name
        from information_schema.table_constraints join information_schema.check_constraints using (constraint_name)
        where constraint_type = 'CHECK' and table_schema = 'public' and check_clause not like '% IS NOT NULL'`,
    );
    expect(rows.map(({ name }) => name).toSorted()).toEqual(Object.keys(CHECKS).toSorted());
  });

  it.each(Object.entries(CHECKS))('%s refuses wrong rows alone', async (name, { accepted, refused }) => {
    const [table = '', check] = name.split('.');
    for (const row of accepted) expect({ row, by: await refusedBy(table, row) }).toEqual({ row, by: null });
    for (const row of refused) expect({ row, by: await refusedBy(table, row) }).toEqual({ row, by: check });
  });
});
