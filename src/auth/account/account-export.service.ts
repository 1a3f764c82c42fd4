import { Injectable } from '@nestjs/common';
import { type RawBuilder, sql } from 'kysely';
import { Audit } from '../../audit/audit.service.js';
import { Database } from '../../database/database.js';
import type { Client } from '../../http/client.decorator.js';
import type { LiveSession } from '../sessions/session-state.js';
import { ACCOUNT_SECTION, EXPORT_SECTIONS, type ExportSection } from './export-sections.js';

type ExportedRow = Record<string, unknown>;

/** All that is stored about a person, but for secrets. */
export interface AccountData {
  readonly exportedAt: Date;
  readonly account: ExportedRow;
  /** The rows of each table, under its name. */
  readonly sections: Readonly<Record<string, ExportedRow[]>>;
}

interface Row {
  now: Date | string;
  account: ExportedRow[];
  sections: Record<string, ExportedRow[]>;
}

/** Handing out to people what is stored about them. */
@Injectable()
export class AccountExport {
  constructor(
    private readonly database: Database,
    private readonly audit: Audit,
  ) {}

  /** Reads everything in one statement, as it stood at one moment; null if the account is gone. */
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
      return { exportedAt: new Date(row.now), account, sections: row.sections };
    });
  }
}

/** The rows of a table that are a person's, as a JSON array. */
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
