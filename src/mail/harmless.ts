const TEXT_MAX = 80;

/**
 * A text that others chose, as it may stand in a mail: one short line in which no mail program finds an address or a link to
 * offer, because whoever signs in chooses what their browser is called.
 */
export function harmless(text: string): string {
  return text
    .replace(/[^\p{L}\p{N} ()/;:,_+.-]+/gu, ' ')
    .replace(/:?\/\/+/g, ' ')
    .replace(/\.(?=\p{L})/gu, ' ')
    .replace(/ {2,}/g, ' ')
    .trim()
    .slice(0, TEXT_MAX);
}
