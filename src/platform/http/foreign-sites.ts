import type { Logger } from 'pino';
import { type AppConfig, trustedOrigins } from '../../../config/app.config.js';

/**
 * Warns of trusted origins on another site: browsers do not send our `SameSite=Lax` cookies with their requests, so
 * that sign-in works there by tokens only. A site is the scheme and the registrable domain, by the Public Suffix List
 * with its private part: two names under `vercel.app` are two sites.
 */
export async function warnOfForeignSites(config: AppConfig, logger: Logger): Promise<void> {
  const others = trustedOrigins(config).filter((origin) => origin !== config.PUBLIC_URL);
  if (others.length === 0) return;
  // The list takes memory, and most installations have no other origins.
  const { getDomain } = await import('tldts');
  const siteOf = (origin: string) => {
    const { protocol, hostname } = new URL(origin);
    return `${protocol}//${getDomain(hostname, { allowPrivateDomains: true }) ?? hostname}`;
  };
  const own = siteOf(config.PUBLIC_URL);
  for (const origin of others.filter((one) => siteOf(one) !== own))
    logger.warn(
      { event: 'foreign_site', setting: 'TRUSTED_ORIGINS', origin },
      `${origin} is another site than PUBLIC_URL: browsers drop cookies in its requests. Serve it below the same domain, or use bearer tokens there`,
    );
}
