/**
 * The address to go to after a sign-in.
 *
 * @param given `return_to` of the query, whatever it is.
 * @param origins that are trusted, with their scheme; the first is the own one.
 * @returns an absolute URL of a trusted origin; a path for the own one; null for anything else.
 */
export function returnTo(given: unknown, [own = '', ...others]: readonly string[]): string | null {
  if (typeof given !== 'string' || given === '' || !URL.canParse(given, own)) return null;
  const url = new URL(given, own);
  if (url.username !== '' || url.password !== '') return null;
  // The origin of an application, such as capacitor://localhost, is "null" for URL.
  const origin = `${url.protocol}//${url.host}`;
  if (origin === own) return given.startsWith('/') ? localPath(url) : null;
  return others.includes(origin) ? url.href : null;
}

/** Removing dot segments can leave two slashes at the start, which browsers read as another host. */
function localPath({ pathname, search, hash }: URL): string | null {
  return pathname.startsWith('//') ? null : `${pathname}${search}${hash}`;
}
