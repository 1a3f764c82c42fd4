import { Inject, Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import type { AuthConfig } from '../../../config/auth.config.js';
import { AUTH_CONFIG } from '../../../config/tokens.config.js';
import { Database } from '../../database/database.js';
import { isLive } from '../sessions/session-state.js';

/** The credentials of one kind that are alive. */
export interface KindInUse {
  readonly kind: string;
  /** How many live sessions hold one; a session that is being exchanged holds one of either kind. */
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
  /** The last session that was looked at; null if there are none behind it. */
  last: string | null;
  kinds: KindRow[];
}

/** Sessions in one statement: of many millions, one statement would take longer than any may. */
const PAGE = 20_000;
const BEFORE_ALL = '00000000-0000-0000-0000-000000000000';

/** What would die with a kind that is not accepted any more. */
@Injectable()
export class LiveCredentials {
  constructor(
    private readonly database: Database,
    @Inject(AUTH_CONFIG) private readonly config: Pick<AuthConfig, 'SESSION_IDLE_TTL'>,
  ) {}

  /**
   * The kinds of which one is alive. It looks at every session, a page at a time.
   *
   * @param rest is awaited between two pages, and told how many milliseconds the one before took; what it throws ends the look.
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
