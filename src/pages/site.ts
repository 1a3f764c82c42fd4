/** What the server tells every page, in `<meta name="site">`. */
export interface Site {
  readonly brand: string;
  readonly logo: string | null;
  readonly strategy: string;
  readonly passwordMin: number;
  /** The host where passkeys work: their relying party. */
  readonly host: string;
  /** Whether a new account must verify its address before it can sign in. */
  readonly verifiesEmail: boolean;
  readonly docs: boolean;
  readonly development: boolean;
  /** Whether the page is not for the person who is signed in. */
  readonly isForbidden: boolean;
  /** Where to go after a sign-in; the server checked it. */
  readonly returnTo: string | null;
}

export const site = JSON.parse(
  document.querySelector<HTMLMetaElement>('meta[name=site]')?.content ?? '{}',
) as Site;
