import type { Form } from '../platform/http/form-body.js';

/** The unverified id and secret of a request. */
interface PresentedClient {
  readonly id: string;
  readonly secret: string;
}

/** `ambiguous`: several clients, or one client in several ways; `none`: no complete client. */
export type ClientPresentation = PresentedClient | 'ambiguous' | 'none';

/** RFC 7617 §2; the scheme name is case-insensitive. */
const BASIC = /^basic +((?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?)$/i;
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Reads the client authentication: `client_secret_basic` or `client_secret_post` (RFC 6749 §2.3.1), one of them. A
 * `client_id` in the form beside Basic must be the same.
 */
export function presentedClient(authorization: string | undefined, form: Form): ClientPresentation {
  const { client_id: id, client_secret: secret } = form;
  if (authorization === undefined) return id !== undefined && secret !== undefined ? { id, secret } : 'none';
  if (secret !== undefined) return 'ambiguous';
  const client = basicClient(authorization);
  if (client === null) return 'none';
  return id === undefined || id === client.id ? client : 'ambiguous';
}

/** Both parts are form-encoded inside Basic (RFC 6749 §2.3.1). Ours contain no space, so a + is literal. */
function basicClient(authorization: string): PresentedClient | null {
  const [, encoded] = BASIC.exec(authorization) ?? [];
  if (encoded === undefined) return null;
  try {
    const text = UTF8.decode(Buffer.from(encoded, 'base64'));
    const colon = text.indexOf(':');
    if (colon < 0) return null;
    return {
      id: decodeURIComponent(text.slice(0, colon)),
      secret: decodeURIComponent(text.slice(colon + 1)),
    };
  } catch {
    return null;
  }
}
