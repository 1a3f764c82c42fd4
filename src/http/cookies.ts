import { stringifySetCookie } from 'cookie';

/** Every cookie there ever was: what is read, and what is cleared at sign-out. */
export const COOKIE_NAMES = ['session', 'access_token', 'refresh_token'] as const;
export type CookieName = (typeof COOKIE_NAMES)[number];

const HOST_PREFIX = '__Host-';
/** Values of one name that are looked at: each costs a look into the database, and a header has room for hundreds. */
const VALUES_MAX = 4;

/**
 * Writes `Set-Cookie` values and reads cookies. With an https origin names carry the `__Host-` prefix
 * (draft-ietf-httpbis-rfc6265bis §4.1.3.2); both spellings are read and cleared, so that a change of the origin
 * neither hides nor strands a cookie.
 */
export class Cookies {
  private readonly isSecure: boolean;
  /** How a pair of one of our cookies begins, in the spelling that we set. */
  private readonly current: readonly string[];

  /** @param publicUrl the origin that clients use. */
  constructor(publicUrl: string) {
    this.isSecure = publicUrl.startsWith('https:');
    this.current = COOKIE_NAMES.map((name) => `${this.spellings(name)[0]}=`);
  }

  /**
   * The values that a Cookie header has for a name. A name can stand there several times, when cookies of other
   * paths or domains are left over: each may be the live one, so the first few different ones are given.
   *
   * Where any of our cookies comes in the spelling we set, the other spelling is not read: a neighbouring host can
   * plant a plain cookie, but none with the prefix.
   */
  read(header: string | undefined, name: CookieName): string[] {
    if (!header?.includes(name)) return [];
    const pairs = header.split(';').map((pair) => pair.trim());
    const isCurrent = pairs.some((pair) => this.current.some((start) => pair.startsWith(start)));
    const start = `${this.spellings(name)[isCurrent ? 0 : 1]}=`;
    const values = pairs.filter((pair) => pair.startsWith(start)).map((pair) => pair.slice(start.length));
    return [...new Set(values)].slice(0, VALUES_MAX);
  }

  /** The names that a Cookie header carries, of those we set. */
  present(header: string | undefined): CookieName[] {
    return COOKIE_NAMES.filter((name) => this.read(header, name).length > 0);
  }

  /** @param maxAgeSeconds what is left of the session. */
  set(name: CookieName, value: string, maxAgeSeconds: number): string {
    return serialize(this.spellings(name)[0], value, maxAgeSeconds);
  }

  /** The values that delete a cookie in both spellings. */
  clear(name: CookieName): string[] {
    return this.spellings(name).map((spelling) => serialize(spelling, '', 0));
  }

  /** The spelling we set, then the other one. */
  private spellings(name: CookieName): [string, string] {
    const prefixed = `${HOST_PREFIX}${name}`;
    return this.isSecure ? [prefixed, name] : [name, prefixed];
  }
}

function serialize(name: string, value: string, maxAge: number): string {
  return stringifySetCookie({
    name,
    value,
    maxAge: Math.max(0, Math.ceil(maxAge)),
    path: '/',
    httpOnly: true,
    sameSite: 'lax',
    secure: name.startsWith(HOST_PREFIX),
  });
}
