/** Tells the sign-in page of this tab, which comes next, that all devices are signed out. */
const KEY = 'traffy signed out everywhere';

export function announceSignOut(): void {
  sessionStorage.setItem(KEY, 'true');
}

/** Takes the announcement back: the sign-out failed. */
export function withdrawn(error: unknown): never {
  sessionStorage.removeItem(KEY);
  throw error;
}

/** Whether all devices were signed out on the page before; once. */
export function takeSignOut(): boolean {
  const isAnnounced = sessionStorage.getItem(KEY) !== null;
  sessionStorage.removeItem(KEY);
  return isAnnounced;
}
