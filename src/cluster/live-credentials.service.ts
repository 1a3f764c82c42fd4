import { Inject, Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import type { AuthConfig } from '../../config/auth.config.js';
import { AUTH_CONFIG } from '../../config/tokens.config.js';
import { Database } from '../platform/database/database.js';
import { isLive } from '../auth/sessions/session-state.js';

/** The credentials of one kind that are alive. */
export interface KindInUse {
  readonly kind: string;
  /** Number of live sessions with such a credential; a pending exchange counts for both kinds. */
  readonly sessions: number;
  /** When one of these sessions was last used, to within a minute. */
  readonly lastUsedAt: Date;
  /** When the last of them ends if none is used again. */
  readonly goneIfUnusedAt: Date;
  /** When the last of them ends at the latest. */
  readonly goneAt: Date;
}

interface KindRow {
  kind: string;
  sessions: number;
  last_used_at: string;
  gone_if_unused_at: string;
  gone_at: string;
}

interface Page {
  /** The last session of the page; null if there are no more. */
  last: string | null;
  kinds: KindRow[];
}

/** Sessions per statement: one statement over many millions would exceed its time limit. */
const PAGE = 20_000;
const BEFORE_ALL = '00000000-0000-0000-0000-000000000000';

/** Counts the credentials that would be refused if a kind were no longer accepted. */
@Injectable()
export class LiveCredentials {
  constructor(
    private readonly database: Database,
    @Inject(AUTH_CONFIG) private readonly config: Pick<AuthConfig, 'SESSION_IDLE_TTL'>,
  ) {}

  /**
   * Counts live credentials by kind. Reads every session, page by page.
   *
   * @param rest is awaited between two pages with the duration of the page in milliseconds; its error ends the count.
   */
  async byKind(rest: (took: number) => Promise<void> = async () => undefined): Promise<KindInUse[]> {
    const kinds = new Map<string, KindInUse>();
    for (let last: string | null = BEFORE_ALL; last !== null;) {
      const since = performance.now();
      const page: Page = await this.lookBehind(last);
      for (const row of page.kinds) kinds.set(row.kind, add(kinds.get(row.kind), row));
      last = page.last;
      if (last !== null) await rest(performance.now() - since);
    }
    return [...kinds.values()].toSorted((one, other) => (one.kind < other.kind ? -1 : 1));
  }

  private async lookBehind(last: string): Promise<Page> {
    const { SESSION_IDLE_TTL: idleTtl } = this.config;
    const [page] = await this.database.query(
      sql<Page>`with page as (
          select * from sessions where id > ${last}::uuid order by id limit ${PAGE}
        ), in_use as (
          select held.kind, count(*)::int as sessions, max(s.last_used_at) as last_used_at,
            max(least(s.expires_at, s.last_used_at + make_interval(secs => ${idleTtl}))) as gone_if_unused_at,
            max(s.expires_at) as gone_at
          from page s cross join lateral unnest(array[s.strategy, s.exchange_to]) as held(kind)
          where held.kind is not null and ${isLive(idleTtl)} group by held.kind
        )
        select (select id from page order by id offset ${PAGE - 1}) as last,
          coalesce((select json_agg(in_use) from in_use), '[]') as kinds`,
    );
    return page ?? { last: null, kinds: [] };
  }
}

function add(known: KindInUse | undefined, row: KindRow): KindInUse {
  return {
    kind: row.kind,
    sessions: (known?.sessions ?? 0) + row.sessions,
    lastUsedAt: later(known?.lastUsedAt, row.last_used_at),
    goneIfUnusedAt: later(known?.goneIfUnusedAt, row.gone_if_unused_at),
    goneAt: later(known?.goneAt, row.gone_at),
  };
}

function later(known: Date | undefined, text: string): Date {
  return new Date(Math.max(known?.getTime() ?? 0, new Date(text).getTime()));
}
