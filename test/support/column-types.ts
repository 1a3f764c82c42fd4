import type { Selectable } from 'kysely';
import type { AuditTables } from '../../src/audit/audit.tables.js';
import type { AssuranceTables } from '../../src/auth/assurance/assurance.tables.js';
import type { FactorsTables } from '../../src/auth/factors/factors.tables.js';
import type { KeysTables } from '../../src/auth/keys/keys.tables.js';
import type { LockoutTables } from '../../src/auth/lockout/lockout.tables.js';
import type { RevocationTables } from '../../src/auth/revocation/revocation.tables.js';
import type { SessionsTables } from '../../src/auth/sessions/sessions.tables.js';
import type { JwtTables } from '../../src/auth/strategies/jwt/jwt.tables.js';
import type { ClusterTables } from '../../src/cluster/cluster.tables.js';
import type { MailTables } from '../../src/mail/mail.tables.js';
import type { ServicesTables } from '../../src/services/services.tables.js';
import type { UsersTables } from '../../src/users/users.tables.js';

/** The PostgreSQL types whose values have a TypeScript type, by what the drivers return. */
type SqlType<Value> = [Value] extends [Date]
  ? 'timestamptz'
  : [Value] extends [Buffer]
    ? 'bytea'
    : [Value] extends [boolean]
      ? 'bool'
      : [Value] extends [number]
        ? 'int4' | 'int8'
        : [Value] extends [string]
          ? 'text' | 'uuid'
          : [Value] extends [readonly string[]]
            ? '_text'
            : [Value] extends [readonly Buffer[]]
              ? '_bytea'
              : 'jsonb';

/** The same, with a question mark where the column may be null. */
type ColumnType<Value> = [null] extends [Value] ? `${SqlType<NonNullable<Value>>}?` : SqlType<Value>;

export type ColumnTypes<Tables> = {
  readonly [Table in keyof Tables]: {
    readonly [Column in keyof Selectable<Tables[Table]>]: ColumnType<Selectable<Tables[Table]>[Column]>;
  };
};

/** The tables of every room. */
export type Tables = AssuranceTables &
  AuditTables &
  ClusterTables &
  FactorsTables &
  JwtTables &
  KeysTables &
  LockoutTables &
  MailTables &
  RevocationTables &
  ServicesTables &
  SessionsTables &
  UsersTables;
