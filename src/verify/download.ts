/** The global `fetch`, or one that behaves like it. */
export type Fetch = typeof globalThis.fetch;

export interface Download {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** Milliseconds without another try after a failed one: whoever comes meanwhile gets the same failure. */
const PAUSE_AFTER_FAILURE = 1_000;
/** Milliseconds for a whole answer. */
export const TIMEOUT = 5_000;

/** Reads one document of the issuer, within limits of time and size, and never as fast as requests come in. */
export class Source {
  private failure: { readonly at: number; readonly error: unknown } | null = null;

  /** @param maxBytes of an answer, after decompression. */
  constructor(
    private readonly fetch: Fetch,
    private readonly maxBytes: number,
  ) {}

  /**
   * @param use makes something of the answer; if it throws, that is a failure of the source too.
   * @throws whatever kept it from being read to its end, a status other than 200 and 304 included.
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
    // A redirect could lead anywhere; keys and revocations come from where the operator said.
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
 * Milliseconds for which an answer may go on being used (RFC 9111 §5.2.2.1), less what it spent in caches on its way.
 *
 * @param fallback where the answer does not say.
 */
export function freshFor(headers: Headers, fallback: number): number {
  const maxAge = /(?:^|[\s,])max-age=(\d{1,9})/i.exec(headers.get('cache-control') ?? '')?.[1];
  if (maxAge === undefined) return fallback;
  const age = /^\d{1,9}$/.exec(headers.get('age') ?? '')?.[0] ?? '0';
  return Math.max(0, Number(maxAge) - Number(age)) * 1000;
}
