/**
 * The token of a mailed link. It leaves the address bar and the history first.
 *
 * @returns null if the link lost it: the person types the code of the mail.
 */
export function takeToken(): string | null {
  const token = new URLSearchParams(location.hash.slice(1)).get('token');
  history.replaceState(null, '', location.pathname);
  return token;
}

/** A code that was typed, also where the whole link was pasted. */
export function typedToken(text: string): string {
  const [, linked] = text.split('#token=');
  return linked === undefined ? text.trim() : decodeURIComponent(linked.trim());
}
