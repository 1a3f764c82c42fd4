import Bowser from 'bowser';

/**
 * Returns a label for a device, such as `Firefox 133 on Linux`; the original text for unknown browsers, null for
 * null.
 */
export function readableUserAgent(userAgent: string | null): string | null {
  if (userAgent === null) return null;
  const { browser, os } = Bowser.parse(userAgent);
  if (!browser.name || !os.name) return userAgent;
  const [major] = (browser.version ?? '').split('.');
  return [browser.name, major, 'on', os.name].filter(Boolean).join(' ');
}

/** Returns the browser and system without versions, such as `Firefox on Linux`; null if either is unknown. */
export function deviceLabel(userAgent: string | null): string | null {
  if (userAgent === null) return null;
  const { browser, os } = Bowser.parse(userAgent);
  return browser.name && os.name ? `${browser.name} on ${os.name}` : null;
}
