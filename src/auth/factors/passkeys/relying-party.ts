import { type AppConfig, trustedOrigins } from '../../../../config/app.config.js';

/** The relying party, as authenticators see it (WebAuthn Level 3 §4). */
export interface RelyingParty {
  /** The host of PUBLIC_URL: passkeys are bound to it. */
  readonly id: string;
  /** The origins whose pages can use passkeys. Compared in full, never by suffix. */
  readonly origins: readonly string[];
}

/**
 * The origin of the service, and those of TRUSTED_ORIGINS that browsers allow to use its passkeys: on its host or
 * below it.
 */
export function relyingPartyOf(config: AppConfig): RelyingParty {
  const id = new URL(config.PUBLIC_URL).hostname;
  const isOurs = (origin: string) => {
    const { hostname, protocol } = new URL(origin);
    if (!/^https?:$/.test(protocol)) return false;
    return hostname === id || hostname.endsWith(`.${id}`);
  };
  return { id, origins: trustedOrigins(config).filter(isOurs) };
}
