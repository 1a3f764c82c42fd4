import { createHash } from 'node:crypto';
import { withClient } from './databases.mjs';
import { cookieOf } from './seeded.mjs';

/** How many of the newest sessions, of all, are good for some days after the seeding: more on the first day than later. */
const FRESH = { fresh: 28 / 36, kept: 18 / 36 };

/** Numbers of accounts and sessions of a seeded database, each once, beginning somewhere by chance. */
export class SeededDatabase {
  constructor(name, databaseUrl, { users, sessions }, origin) {
    Object.assign(this, { name, databaseUrl, users, sessions });
    const first = Math.ceil(sessions * (1 - FRESH[origin]));
    // A step that shares no factor with the count visits every number once, far from the one before.
    this.accounts = visits(1, users);
    this.cookies = visits(first, sessions, (n) => n % 2 === 0 && n % 25 !== 7);
    this.refreshTokens = visits(first, sessions, (n) => n % 2 === 1 && n % 25 !== 7);
    this.owned = [];
    this.oneCookie = this.nextCookie();
  }

  nextAccount() {
    return this.accounts.next().value;
  }

  nextCookie() {
    return this.cookies.next().value;
  }

  nextRefreshToken() {
    return this.refreshTokens.next().value;
  }

  nextOwned() {
    const owned = this.owned.pop();
    if (!owned) throw new Error('no session is prepared');
    return owned;
  }

  cookieHeader(n) {
    return { cookie: `__Host-session=${cookieOf(n)}` };
  }

  /** Looks up ids of sessions, because nothing tells them from the number. */
  async prepareOwned(count) {
    while (this.owned.length < count) {
      const numbers = Array.from({ length: count - this.owned.length }, () => this.nextCookie());
      const hashes = numbers.map((n) => createHash('sha256').update(cookieOf(n)).digest());
      const rows = await withClient(this.databaseUrl, async (client) => {
        const result = await client.query(
          'select id, secret_hash from sessions where secret_hash = any($1::bytea[]) and revoked_at is null',
          [hashes],
        );
        return result.rows;
      });
      const ids = new Map(rows.map(({ id, secret_hash: hash }) => [hash.toString('hex'), id]));
      numbers.forEach((n, index) => {
        const id = ids.get(hashes[index].toString('hex'));
        if (id) this.owned.push({ n, id });
      });
    }
  }
}

/** Every number between two that is fine, once, in no order. */
function* visits(first, last, isFine = () => true) {
  const count = last - first + 1;
  const step = stepFor(count);
  let at = Math.floor(Math.random() * count);
  for (let visited = 0; visited < count; visited += 1) {
    const n = first + at;
    if (isFine(n)) yield n;
    at = (at + step) % count;
  }
  throw new Error('every session was used: seed more, or measure less');
}

function stepFor(count) {
  const greatestCommonDivisor = (a, b) => (b === 0 ? a : greatestCommonDivisor(b, a % b));
  for (let step = Math.max(1, Math.floor(count * 0.618)); ; step += 1) {
    if (greatestCommonDivisor(step, count) === 1) return step;
  }
}
