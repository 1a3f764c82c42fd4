/** A table with data about users, and what of it is exported. */
export interface ExportSection {
  readonly table: string;
  /** The column that names the owner of a row. */
  readonly owner: 'id' | 'user_id';
  readonly columns: readonly string[];
  /** The SQL for a column that also contains data of other users. */
  readonly given?: Readonly<Record<string, string>>;
  /** Binary columns that are not secret: exported as base64url. */
  readonly bytes?: readonly string[];
  /** The columns that are left out, with the reason. A column that is not listed anywhere fails a test. */
  readonly leftOut: Readonly<Record<string, string>>;
  readonly order: string;
}

const OWNER = 'the account contains it';
const SECRET = 'the hash of a secret';
const ofOwnAct = (column: string) => `case when actor = 'user' then ${column} end`;

/** The account. */
export const ACCOUNT_SECTION: ExportSection = {
  table: 'users',
  owner: 'id',
  columns: [
    'id',
    'email',
    'email_canonical',
    'email_verified_at',
    'name',
    'language',
    'role',
    'disabled_at',
    'password_compromised_at',
    'created_at',
    'updated_at',
  ],
  leftOut: {
    password_hash: SECRET,
    webauthn_handle: 'random bytes that only authenticators use',
  },
  order: 'id',
};

/** All other data of a user: one list for each table, under its name. */
export const EXPORT_SECTIONS: readonly ExportSection[] = [
  {
    table: 'sessions',
    owner: 'user_id',
    columns: [
      'id',
      'strategy',
      'methods',
      'created_at',
      'authenticated_at',
      'last_used_at',
      'expires_at',
      'access_expires_at',
      'tokens_valid_from',
      'revoked_at',
      'revoked_reason',
      'exchange_to',
      'exchange_began_at',
      'ip',
      'user_agent',
    ],
    leftOut: {
      user_id: OWNER,
      secret_hash: SECRET,
      exchange_nonce: SECRET,
      exchange_hash: SECRET,
      former_hashes: SECRET,
    },
    order: 'created_at',
  },
  {
    table: 'passkeys',
    owner: 'user_id',
    columns: [
      'id',
      'name',
      'sign_count',
      'transports',
      'is_backup_eligible',
      'is_backed_up',
      'is_conditional',
      'aaguid',
      'created_at',
      'last_used_at',
      'key_checked_at',
      'key_flaw',
    ],
    bytes: ['credential_id', 'public_key'],
    leftOut: { user_id: OWNER },
    order: 'created_at',
  },
  {
    table: 'totp_authenticators',
    owner: 'user_id',
    columns: ['created_at', 'confirmed_at', 'pending_at', 'last_step'],
    leftOut: { user_id: OWNER, seed: SECRET, pending_seed: SECRET },
    order: 'created_at',
  },
  {
    table: 'recovery_codes',
    owner: 'user_id',
    columns: ['created_at'],
    leftOut: { user_id: OWNER, code_hash: SECRET },
    order: 'created_at',
  },
  {
    table: 'known_devices',
    owner: 'user_id',
    columns: ['network', 'first_seen_at', 'last_seen_at'],
    leftOut: { user_id: OWNER, agent_hash: 'SHA-256 of data that the sessions contain in full' },
    order: 'first_seen_at',
  },
  {
    table: 'one_time_tokens',
    owner: 'user_id',
    columns: ['purpose', 'email', 'session_id', 'created_at', 'expires_at'],
    leftOut: { user_id: OWNER, token_hash: SECRET, password_hash: SECRET },
    order: 'created_at',
  },
  {
    table: 'mfa_challenges',
    owner: 'user_id',
    columns: ['methods', 'transport', 'attempts', 'created_at', 'expires_at'],
    leftOut: { user_id: OWNER, token_hash: SECRET, password_hash: SECRET },
    order: 'created_at',
  },
  {
    table: 'webauthn_challenges',
    owner: 'user_id',
    columns: ['ceremony', 'is_conditional', 'session_id', 'created_at', 'expires_at'],
    leftOut: { user_id: OWNER, challenge: SECRET, mfa_token_hash: SECRET },
    order: 'created_at',
  },
  {
    table: 'audit_events',
    owner: 'user_id',
    columns: ['id', 'kind', 'at', 'actor', 'session_id', 'ip', 'user_agent', 'request_id', 'details'],
    // Which administrator or service acted, and its network, is data of the actor.
    given: {
      actor: `split_part(actor, ':', 1)`,
      ip: ofOwnAct('ip'),
      user_agent: ofOwnAct('user_agent'),
      request_id: ofOwnAct('request_id'),
    },
    leftOut: {
      user_id: OWNER,
      xact: 'the position in the audit trail of all users',
      seq: 'the position in the audit trail of all users',
      hash: 'the position in the audit trail of all users',
    },
    order: 'at',
  },
  {
    table: 'outbox_mails',
    owner: 'user_id',
    columns: [
      'id',
      'kind',
      'recipient',
      'params',
      'state',
      'attempts',
      'created_at',
      'expires_at',
      'finished_at',
    ],
    leftOut: {
      user_id: OWNER,
      nonce: SECRET,
      rendered: 'contains links that give access to the account',
      next_attempt_at: 'delivery state of a mail',
      last_error: 'delivery state of a mail',
    },
    order: 'created_at',
  },
];
