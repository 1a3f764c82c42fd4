const TEXT_MAX = 80;

/**
 * Makes text from outside safe for a mail: one short line without addresses or links that a mail program would offer.
 * Clients choose their user agent.
 */
export function plainLine(text: string): string {
  return text
    .replace(/[^\p{L}\p{N} ()/;:,_+.-]+/gu, ' ')
    .replace(/:?\/\/+/g, ' ')
    .replace(/\.(?=\p{L})/gu, ' ')
    .replace(/ {2,}/g, ' ')
    .trim()
    .slice(0, TEXT_MAX);
}
