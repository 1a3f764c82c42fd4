import type { AppConfig } from '../../../config/app.config.js';

/** One year (ASVS 5.0.0 3.4.1). */
const HSTS = 'max-age=31536000; includeSubDomains';

/**
 * The header fields of every reply (ASVS 5.0.0 §3.4). Replies are data for the caller only: no caching, framing,
 * sniffing or scripts. Pages and public keys override single fields.
 */
export function securityHeaders(config: AppConfig): Record<string, string> {
  return {
    'cache-control': 'no-store',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    ...(config.PUBLIC_URL.startsWith('https:') && { 'strict-transport-security': HSTS }),
  };
}
