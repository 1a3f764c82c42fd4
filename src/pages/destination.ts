import { site } from './site.js';

/** Goes where the person wanted to go before the sign-in. */
export function proceed(): void {
  const { returnTo } = site;
  // The server has checked it. A path must stay here in the reading of this browser too.
  const isPath = returnTo?.startsWith('/') && new URL(returnTo, location.origin).origin === location.origin;
  location.assign(returnTo && (isPath || !returnTo.startsWith('/')) ? returnTo : '/account');
}

/** A page for the same journey: it goes to the same place at the end. */
export function withReturn(path: string): string {
  return site.returnTo ? `${path}?return_to=${encodeURIComponent(site.returnTo)}` : path;
}
