/**
 * What a seeded database holds, as formulas of a number: `n` of an account or a session. A client that knows the number
 * knows the address, the cookie and the refresh token, so that nothing has to be written down beside the database.
 */
import { createHash } from 'node:crypto';

export const PASSWORD = 'a long passphrase for everybody';
/** Seconds that a seeded session lives, and the age of the oldest: some ran out, and none so long ago that it is purged. */
export const SESSION_TTL = 30 * 86_400;
export const OLDEST = 36 * 86_400;

export const emailOf = (n) => `person${n}@example.com`;

/** The value of the cookie of a session. */
export const cookieOf = (n) => `trf_st_${secretOf('cookie', n)}`;

/** The refresh token of a session that was not redeemed yet. */
export const refreshTokenOf = (n) => `trf_rt_${secretOf('refresh', n)}`;

function secretOf(what, n) {
  return createHash('sha256').update(`${what}:${n}`).digest('base64url');
}

/** The same in SQL, and ids in the order of time (UUIDv7), as functions of the connection that seeds. */
export const FUNCTIONS = `
  create function pg_temp.secret(what text, n bigint) returns text language sql immutable parallel safe as $$
    select translate(rtrim(encode(sha256(convert_to(what || ':' || n, 'UTF8')), 'base64'), '='), '+/', '-_') $$;
  create function pg_temp.uuid_at(at timestamptz, what text, n bigint) returns uuid language sql immutable parallel safe as $$
    select (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') || '7' || substr(h, 1, 3) || 'b' || substr(h, 5, 15))::uuid
    from (select md5(what || ':' || n)) as made(h) $$;
`;
