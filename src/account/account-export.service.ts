import { Injectable } from '@nestjs/common';
import { type RawBuilder, sql } from 'kysely';
import { Audit } from '../audit/audit.service.js';
import { Database } from '../platform/database/database.js';
import type { Client } from '../platform/http/client.decorator.js';
import type { LiveSession } from '../auth/sessions/session-state.js';
import { ACCOUNT_SECTION, EXPORT_SECTIONS, type ExportSection } from './export-sections.js';

type ExportedRow = Record<string, unknown>;

/** All data stored about a user, except secrets. */
export interface AccountData {
  readonly exportedAt: Date;
  readonly account: ExportedRow;
  /** The rows of each table, under its name. */
  readonly sections: Readonly<Record<string, ExportedRow[]>>;
}

interface Row {
  now: Date;
  account: ExportedRow[];
  sections: Record<string, ExportedRow[]>;
}

/** Exports to users the data stored about them. */
@Injectable()
export class AccountExport {
  constructor(
    private readonly database: Database,
    private readonly audit: Audit,
  ) {}

  /** Reads everything in one statement, as of one moment; null if the account was deleted. */
  async export({ userId, sessionId }: LiveSession, client: Client): Promise<AccountData | null> {
    const parts = EXPORT_SECTIONS.flatMap((section) => [
      sql`${sql.lit(section.table)}`,
      rowsOf(section, userId),
    ]);
    return this.database.transaction(async (tx) => {
      await this.audit.record({ kind: 'account_exported', userId, sessionId, client }, tx);
      const [row] = await tx.query(
        sql<Row>`select now(), ${rowsOf(ACCOUNT_SECTION, userId)} as account,
          json_build_object(${sql.join(parts)}) as sections`,
      );
      const account = row?.account[0];
      if (!row || !account) return null;
      return { exportedAt: row.now, account, sections: row.sections };
    });
  }
}

/** The rows of a table that belong to a user, as a JSON array. */
function rowsOf(
  { table, owner, columns, given = {}, bytes = [], order }: ExportSection,
  userId: string,
): RawBuilder<unknown> {
  const encoded = bytes.map(
    (column) => sql`translate(encode(${sql.ref(column)}, 'base64'), E'+/=\n', '-_') as ${sql.ref(column)}`,
  );
  const plain = columns.map((column) =>
    given[column] === undefined ? sql.ref(column) : sql`${sql.raw(given[column])} as ${sql.ref(column)}`,
  );
  const chosen = sql.join([...plain, ...encoded]);
  return sql`(select coalesce(json_agg(r order by r.${sql.ref(order)}), '[]') from
    (select ${chosen} from ${sql.table(table)} where ${sql.ref(owner)} = ${userId}) as r)`;
}
