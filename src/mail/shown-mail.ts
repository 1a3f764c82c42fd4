import { z } from 'zod';
import { seal, unseal } from '../platform/secrets/secrets.js';
import type { RenderedMail } from './render-mail.js';

const rendered = z.object({ subject: z.string(), text: z.string(), html: z.string() });

/** Encrypts a mail that is shown instead of sent: it can contain a token. */
export function sealShown(secrets: readonly string[], id: string, mail: RenderedMail): Buffer {
  const { subject, text, html } = mail;
  return seal(secrets, 'shown-mail', id, Buffer.from(JSON.stringify({ subject, text, html })));
}

/** Decrypts a mail of `sealShown`; null if its secret is not in the list. */
export function unsealShown(secrets: readonly string[], id: string, sealed: Buffer): RenderedMail | null {
  const plaintext = unseal(secrets, 'shown-mail', id, sealed);
  return plaintext && rendered.parse(JSON.parse(plaintext.toString()));
}
