import { type Client, type ClientOptions, createClient } from '../client/client.entry.js';
import { language } from './text.js';

/** A client whose answers are in the language of the page. */
export function createPageClient(options: ClientOptions = {}): Client {
  return createClient({ ...options, headers: { 'accept-language': language } });
}
