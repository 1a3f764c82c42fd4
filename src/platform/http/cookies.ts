import { stringifySetCookie } from 'cookie';
import { trimBlanks } from './ascii.js';

/** Every cookie that Traffy ever set: read, and cleared at sign-out. */
const COOKIE_NAMES = ['session', 'access_token', 'refresh_token'] as const;
export type CookieName = (typeof COOKIE_NAMES)[number];

const HOST_PREFIX = '__Host-';
/** Maximum number of values per name that are checked: each costs a query, and a header has room for hundreds. */
const VALUES_MAX = 4;

/**
 * Writes `Set-Cookie` values and reads cookies. With an https origin, names have the `__Host-` prefix
 * (draft-ietf-httpbis-rfc6265bis §4.1.3.2). Both spellings are read and cleared, so that no cookie is lost when the
 * origin changes.
 */
export class Cookies {
  private readonly isSecure: boolean;
  /** The beginnings of our cookies in a Cookie header, in the current spelling. */
  private readonly current: readonly string[];

  /**
   * @param publicUrl the origin that clients use.
   * @param prefix COOKIE_PREFIX. Cookies without it belong to another instance: they are neither read nor cleared.
   */
  constructor(
    publicUrl: string,
    private readonly prefix = '',
  ) {
    this.isSecure = publicUrl.startsWith('https:');
    this.current = COOKIE_NAMES.map((name) => `${this.spellings(name)[0]}=`);
  }

  /**
   * Returns the values of a name in a Cookie header. A name can occur several times, with cookies of other paths or
   * domains left over. Any of them can be the live one, so the first few distinct values are returned.
   *
   * If any of our cookies has the current spelling, the other spelling is ignored: a sibling host can plant a plain
   * cookie, but none with the prefix.
   */
  read(header: string | undefined, name: CookieName): string[] {
    if (!header?.includes(name)) return [];
    const pairs = header.split(';').map(trimBlanks);
    const isCurrent = pairs.some((pair) => this.current.some((start) => pair.startsWith(start)));
    const start = `${this.spellings(name)[isCurrent ? 0 : 1]}=`;
    const values = pairs.filter((pair) => pair.startsWith(start)).map((pair) => pair.slice(start.length));
    return [...new Set(values)].slice(0, VALUES_MAX);
  }

  /** Returns the names of our cookies in a Cookie header. */
  present(header: string | undefined): CookieName[] {
    return COOKIE_NAMES.filter((name) => this.read(header, name).length > 0);
  }

  /** @param maxAgeSeconds remaining lifetime of the session. */
  set(name: CookieName, value: string, maxAgeSeconds: number): string {
    return serialize(this.spellings(name)[0], value, maxAgeSeconds);
  }

  /** Returns the values that delete a cookie in both spellings. */
  clear(name: CookieName): string[] {
    return this.spellings(name).map(cleared);
  }

  /**
   * Returns the values that delete every cookie in both spellings. Those of the Cookie header are last: curl keeps its
   * file as it is if the last value deletes a cookie that it does not have.
   */
  clearAll(header: string | undefined): string[] {
    const sent = new Set((header ?? '').split(';').map((pair) => trimBlanks(pair.split('=', 1)[0] ?? '')));
    const all = COOKIE_NAMES.flatMap((name) => this.spellings(name));
    return [...all.filter((name) => !sent.has(name)), ...all.filter((name) => sent.has(name))].map(cleared);
  }

  /** The name under which a cookie is set. */
  nameOf(name: CookieName): string {
    return this.spellings(name)[0];
  }

  /** The current spelling, then the other one. */
  private spellings(name: CookieName): [string, string] {
    const plain = `${this.prefix}${name}`;
    const prefixed = `${HOST_PREFIX}${plain}`;
    return this.isSecure ? [prefixed, plain] : [plain, prefixed];
  }
}

function cleared(name: string): string {
  return serialize(name, '', 0);
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
