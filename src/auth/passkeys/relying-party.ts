import type { AppConfig } from '../../../config/app.config.js';

/** Who we are to authenticators (WebAuthn Level 3 §4, relying party). */
export interface RelyingParty {
  /** The host of PUBLIC_URL: passkeys belong to it, and work on nothing else. */
  readonly id: string;
  /** What people are shown. */
  readonly name: string;
  /** The origins whose pages may use them, compared as a whole and never by their ends. */
  readonly origins: readonly string[];
}

/** The service itself, and those of TRUSTED_ORIGINS that browsers let use its passkeys: on its host, or below it. */
export function relyingPartyOf({ PUBLIC_URL, TRUSTED_ORIGINS }: AppConfig): RelyingParty {
  const id = new URL(PUBLIC_URL).hostname;
  const isOurs = (origin: string) => {
    const { hostname } = new URL(origin);
    return hostname === id || hostname.endsWith(`.${id}`);
  };
  return {
    id,
    name: 'Traffy',
    origins: [...new Set([PUBLIC_URL, ...TRUSTED_ORIGINS.filter(isOurs)])],
  };
}
