import { site } from './site.js';

/** Goes where the person wanted to go before the sign-in. */
export function proceed(): void {
  location.assign(site.returnTo ?? '/account');
}

/** A page for the same journey: it goes to the same place at the end. */
export function withReturn(path: string): string {
  return site.returnTo ? `${path}?return_to=${encodeURIComponent(site.returnTo)}` : path;
}
