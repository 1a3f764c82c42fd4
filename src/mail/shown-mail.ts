import { z } from 'zod';
import { seal, unseal } from '../secrets/secrets.js';
import type { RenderedMail } from './render-mail.js';

const rendered = z.object({ subject: z.string(), text: z.string(), html: z.string() });

/** A mail that is shown instead of sent, encrypted: it may carry a token. */
export function sealShown(secrets: readonly string[], id: string, mail: RenderedMail): Buffer {
  const { subject, text, html } = mail;
  return seal(secrets, 'shown-mail', id, Buffer.from(JSON.stringify({ subject, text, html })));
}

/** What `sealShown` took; null if the secret that it was encrypted under is not among these. */
export function unsealShown(secrets: readonly string[], id: string, sealed: Uint8Array): RenderedMail | null {
  const plaintext = unseal(secrets, 'shown-mail', id, Buffer.from(sealed));
  return plaintext && rendered.parse(JSON.parse(plaintext.toString()));
}
