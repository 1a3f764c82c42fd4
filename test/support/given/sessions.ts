import { sql } from 'kysely';
import type { Queryable } from './queryable.js';

/** A session whose `auth_time` is this long ago: it needs step-up. @param ago a PostgreSQL interval. */
export async function staleSession(app: Queryable, id: string, ago = '1 hour'): Promise<void> {
  await app.query(sql`update sessions set authenticated_at = now() - ${ago}::interval where id = ${id}`);
}

/** A session that was last used this long ago. @param ago a PostgreSQL interval. */
export async function unusedSession(app: Queryable, id: string, ago: string): Promise<void> {
  await app.query(sql`update sessions set last_used_at = now() - ${ago}::interval where id = ${id}`);
}

/** A session past its absolute expiry. */
export async function expiredSession(app: Queryable, id: string): Promise<void> {
  await app.query(
    sql`update sessions set created_at = now() - interval '2 days', expires_at = now() - interval '1 day'
        where id = ${id}`,
  );
}

/** A session that was signed out. */
export async function endedSession(app: Queryable, id: string): Promise<void> {
  await app.query(sql`update sessions set revoked_at = now(), revoked_reason = 'logout' where id = ${id}`);
}

/** A session with these RFC 8176 `amr` values. */
export async function sessionWithMethods(
  app: Queryable,
  id: string,
  methods: readonly string[],
): Promise<void> {
  await app.query(sql`update sessions set methods = ${[...methods]} where id = ${id}`);
}

/** A session that was created from this address. */
export async function sessionFrom(app: Queryable, id: string, ip: string): Promise<void> {
  await app.query(sql`update sessions set ip = ${ip} where id = ${id}`);
}

/** A session whose exchange began this long ago. @param ago a PostgreSQL interval. */
export async function exchangeBegun(app: Queryable, id: string, ago: string): Promise<void> {
  await app.query(sql`update sessions set exchange_began_at = now() - ${ago}::interval where id = ${id}`);
}

/** Refresh tokens of a session that were redeemed this much earlier. @param earlier a PostgreSQL interval. */
export async function redeemedEarlier(app: Queryable, sessionId: string, earlier: string): Promise<void> {
  await app.query(
    sql`update refresh_tokens set redeemed_at = redeemed_at - ${earlier}::interval where session_id = ${sessionId}`,
  );
}
