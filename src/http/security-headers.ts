import type { AppConfig } from '../../config/app.config.js';

/** A year, as ASVS 5.0.0 3.4.1 asks. */
const HSTS = 'max-age=31536000; includeSubDomains';

/**
 * The header fields of every reply (ASVS 5.0.0 §3.4). Replies are data for the caller alone: nothing may cache,
 * frame, sniff or run them. Pages and public keys loosen what they need.
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
