/** A table that holds something about people, and what of it they get. */
export interface ExportSection {
  readonly table: string;
  /** Which column says whose a row is. */
  readonly owner: 'id' | 'user_id';
  readonly columns: readonly string[];
  /** What is given of a column that also tells of somebody else, in SQL. */
  readonly given?: Readonly<Record<string, string>>;
  /** Columns of bytes that are no secret: given as base64url. */
  readonly bytes?: readonly string[];
  /** The columns that are left out, with the reason. A column that stands nowhere fails a test. */
  readonly leftOut: Readonly<Record<string, string>>;
  readonly order: string;
}

const OWNER = 'the account itself says it';
const SECRET = 'stands for a secret';
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
    'role',
    'disabled_at',
    'password_compromised_at',
    'created_at',
    'updated_at',
  ],
  leftOut: {
    password_hash: SECRET,
    webauthn_handle: 'random bytes that only authenticators know the person by',
  },
  order: 'id',
};

/** All else that belongs to a person: one list a table, under its name. */
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
    leftOut: { user_id: OWNER, secret_hash: SECRET, exchange_nonce: SECRET, exchange_hash: SECRET },
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
      'aaguid',
      'created_at',
      'last_used_at',
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
    leftOut: { user_id: OWNER, agent_hash: 'SHA-256 of what the sessions have in full' },
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
    columns: ['ceremony', 'session_id', 'created_at', 'expires_at'],
    leftOut: { user_id: OWNER, challenge: SECRET, mfa_token_hash: SECRET },
    order: 'created_at',
  },
  {
    table: 'audit_events',
    owner: 'user_id',
    columns: ['id', 'kind', 'at', 'actor', 'session_id', 'ip', 'user_agent', 'request_id', 'details'],
    // Which administrator or service did it, and where they sat, is theirs.
    given: {
      actor: `split_part(actor, ':', 1)`,
      ip: ofOwnAct('ip'),
      user_agent: ofOwnAct('user_agent'),
      request_id: ofOwnAct('request_id'),
    },
    leftOut: {
      user_id: OWNER,
      xact: 'where the event stands in the trail of everybody',
      seq: 'where the event stands in the trail of everybody',
      hash: 'where the event stands in the trail of everybody',
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
      rendered: 'holds links that open the account',
      next_attempt_at: 'how mail is sent, and not what',
      last_error: 'how mail is sent, and not what',
    },
    order: 'created_at',
  },
];
