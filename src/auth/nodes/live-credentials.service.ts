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
  last_used_at: Date | string;
  gone_if_unused_at: Date | string;
  gone_at: Date | string;
}

/** What would die with a kind that is not accepted any more. */
@Injectable()
export class LiveCredentials {
  constructor(
    private readonly database: Database,
    @Inject(AUTH_CONFIG) private readonly config: Pick<AuthConfig, 'SESSION_IDLE_TTL'>,
  ) {}

  /** The kinds of which one is alive. */
  async byKind(): Promise<KindInUse[]> {
    const { SESSION_IDLE_TTL: idleTtl } = this.config;
    const rows = await this.database.query(
      sql<KindRow>`select held.kind, count(*)::int as sessions, max(s.last_used_at) as last_used_at,
          max(least(s.expires_at, s.last_used_at + make_interval(secs => ${idleTtl}))) as gone_if_unused_at,
          max(s.expires_at) as gone_at
        from sessions s cross join lateral unnest(array[s.strategy, s.exchange_to]) as held(kind)
        where held.kind is not null and ${isLive(idleTtl)} group by held.kind order by held.kind`,
    );
    return rows.map((row) => ({
      kind: row.kind,
      sessions: row.sessions,
      lastUsedAt: new Date(row.last_used_at),
      goneIfUnusedAt: new Date(row.gone_if_unused_at),
      goneAt: new Date(row.gone_at),
    }));
  }
}
