/** The global `fetch`, or a compatible function. */
export type Fetch = typeof globalThis.fetch;

export interface Download {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** Milliseconds without another attempt after a failure: callers in that time get the same failure. */
const PAUSE_AFTER_FAILURE = 1_000;
/** Milliseconds for a complete answer. */
export const TIMEOUT = 5_000;

/** Reads one document of the issuer, within limits of time and size, and rate-limited independently of requests. */
export class Source {
  private failure: { readonly at: number; readonly error: unknown } | null = null;

  /** @param maxBytes of an answer, after decompression. */
  constructor(
    private readonly fetch: Fetch,
    private readonly maxBytes: number,
  ) {}

  /**
   * @param use processes the answer; if it throws, the read has failed too.
   * @throws the reason why it could not be read completely, including any status other than 200 and 304.
   */
  async read<T>(
    url: string,
    headers: Readonly<Record<string, string>>,
    use: (download: Download) => T | Promise<T>,
    signal = AbortSignal.timeout(TIMEOUT),
  ): Promise<T> {
    if (this.failure && performance.now() - this.failure.at < PAUSE_AFTER_FAILURE) throw this.failure.error;
    try {
      const result = await use(await this.download(url, headers, signal));
      this.failure = null;
      return result;
    } catch (error) {
      this.failure = { at: performance.now(), error };
      throw error;
    }
  }

  private async download(
    url: string,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<Download> {
    // No redirects: they could lead anywhere. Keys and revocations come from the configured URLs.
    const response = await this.fetch(url, { headers: { ...headers }, signal, redirect: 'manual' });
    if (response.status !== 200 && response.status !== 304) {
      await response.body?.cancel();
      throw new Error(`${url} answered ${response.status}`);
    }
    const text = await this.textOf(response, url);
    return { status: response.status, headers: response.headers, text };
  }

  private async textOf({ body }: Response, url: string): Promise<string> {
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of body ?? []) {
      size += chunk.length;
      if (size > this.maxBytes) throw new Error(`${url} answered more than ${this.maxBytes} bytes`);
      chunks.push(chunk);
    }
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
  }
}

/**
 * Milliseconds for which an answer is fresh (RFC 9111 §5.2.2.1), minus its age in caches.
 *
 * @param fallback if the answer does not say.
 */
export function freshFor(headers: Headers, fallback: number): number {
  const maxAge = /(?:^|[ \t,])max-age=(\d{1,9})/i.exec(headers.get('cache-control') ?? '')?.[1];
  if (maxAge === undefined) return fallback;
  const age = /^\d{1,9}$/.exec(headers.get('age') ?? '')?.[0] ?? '0';
  // Safe text: the patterns allow digits only.
  return Math.max(0, Number(maxAge) - Number(age)) * 1000;
}
