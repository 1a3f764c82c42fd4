import { stringifySetCookie } from 'cookie';

/** Every cookie there ever was: what is read, and what is cleared at sign-out. */
export const COOKIE_NAMES = ['session', 'access_token', 'refresh_token'] as const;
export type CookieName = (typeof COOKIE_NAMES)[number];

const HOST_PREFIX = '__Host-';

/**
 * Writes `Set-Cookie` values and reads cookies. With an https origin names carry the `__Host-` prefix
 * (draft-ietf-httpbis-rfc6265bis §4.1.3.2); both spellings are read and cleared, so that a change of the origin
 * neither hides nor strands a cookie.
 */
export class Cookies {
  private readonly isSecure: boolean;

  /** @param publicUrl the origin that clients use. */
  constructor(publicUrl: string) {
    this.isSecure = publicUrl.startsWith('https:');
  }

  /**
   * Every value that a Cookie header has for a name, the current spelling first. A name can stand there several
   * times, when cookies of other paths or domains are left over: each may be the live one.
   */
  read(header: string | undefined, name: CookieName): string[] {
    if (header === undefined) return [];
    const pairs = header.split(';').map((pair) => pair.trim());
    return this.spellings(name).flatMap((spelling) =>
      pairs.filter((pair) => pair.startsWith(`${spelling}=`)).map((pair) => pair.slice(spelling.length + 1)),
    );
  }

  /** The names that a Cookie header carries, of those we set. */
  present(header: string | undefined): CookieName[] {
    return COOKIE_NAMES.filter((name) => this.read(header, name).length > 0);
  }

  /** @param maxAgeSeconds what is left of the session. */
  set(name: CookieName, value: string, maxAgeSeconds: number): string {
    const [spelling = name] = this.spellings(name);
    return serialize(spelling, value, maxAgeSeconds);
  }

  /** The values that delete a cookie in both spellings. */
  clear(name: CookieName): string[] {
    return this.spellings(name).map((spelling) => serialize(spelling, '', 0));
  }

  private spellings(name: CookieName): string[] {
    const both = [`${HOST_PREFIX}${name}`, name];
    return this.isSecure ? both : both.toReversed();
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
