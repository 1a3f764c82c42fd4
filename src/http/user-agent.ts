import Bowser from 'bowser';

/**
 * What a person recognises a device by, such as `Firefox 133 on Linux`; the text as it was sent for what is no
 * known browser, and null for nothing.
 */
export function readableUserAgent(userAgent: string | null): string | null {
  if (userAgent === null) return null;
  const { browser, os } = Bowser.parse(userAgent);
  if (!browser.name || !os.name) return userAgent;
  const [major] = (browser.version ?? '').split('.');
  return [browser.name, major, 'on', os.name].filter(Boolean).join(' ');
}
