import type { ComponentChildren } from 'preact';
import { site } from '../site.js';
import { t } from '../text.js';

/** Whether passkeys of this site work on the host of the page (WebAuthn Level 3 §5.1.3, relying party ID). */
const isHome = location.hostname === site.host || location.hostname.endsWith(`.${site.host}`);

/** What needs passkeys, or why they do not work here. */
export function WithPasskeys({ children }: { readonly children: ComponentChildren }) {
  if (!isHome) return <p class="muted">{t.errors.passkeyHost(site.host)}</p>;
  if (!('PublicKeyCredential' in globalThis)) return <p class="muted">{t.account.passkeys.unsupported}</p>;
  return <>{children}</>;
}
