import type { FastifyRequest } from 'fastify';
import { LRUCache } from 'lru-cache';
import type { Logger } from 'pino';
import type { AppConfig } from '../../../config/app.config.js';
import { addressRange, canonicalAddress, isWithin } from './address.js';
import { listElements } from './ascii.js';

declare module 'fastify' {
  interface FastifyRequest {
    /**
     * The address of the client, in its canonical spelling: for sessions, the audit trail, rate limits and logs alike.
     * Never use `ip`, which is the address of the peer as the socket spells it.
     */
    readonly clientAddress: string;
  }
}

type IsTrusted = (address: string, hop: number) => boolean;

/**
 * Determines client addresses: that of the peer, or behind trusted proxies the one that the outermost of them wrote
 * into `X-Forwarded-For`. An entry that is no address is not used: the client then has the address of the proxy that
 * wrote it, which is at least true.
 */
export class ClientAddresses {
  private readonly isTrusted: IsTrusted | null;
  private readonly found = new WeakMap<FastifyRequest, string>();
  /** Clients usually send several requests. */
  private readonly known = new LRUCache<string, string>({ max: 10_000 });
  private readonly reported = new Set<string>();

  constructor(
    { TRUST_PROXY }: AppConfig,
    private readonly logger: Logger,
  ) {
    this.isTrusted = trustOf(TRUST_PROXY);
  }

  /** The same for all of a request: a socket forgets its peer when it closes. */
  of(request: FastifyRequest): string {
    let address = this.found.get(request);
    if (address === undefined) {
      address = this.determine(request);
      this.found.set(request, address);
    }
    return address;
  }

  private determine({ raw }: FastifyRequest): string {
    const forwarded = raw.headers['x-forwarded-for'];
    const peer = this.canonical(raw.socket.remoteAddress ?? '') ?? 'unknown';
    if (forwarded === undefined) return peer;
    if (!this.isTrusted) {
      this.report(
        'untrusted_proxy',
        'X-Forwarded-For arrived, but TRUST_PROXY is 0: behind a proxy, all its clients share one rate limit',
      );
      return peer;
    }
    return this.outermost(peer, listElements(String(forwarded)), this.isTrusted);
  }

  /** Follows the entries from the last, which the peer wrote, as long as their writers are trusted. */
  private outermost(peer: string, entries: string[], isTrusted: IsTrusted): string {
    let address = peer;
    for (const [hop, entry] of entries.toReversed().entries()) {
      if (!isTrusted(address, hop)) return address;
      const next = this.canonical(entry);
      if (next === null) {
        this.report(
          'unreadable_client_address',
          'A trusted proxy wrote an entry into X-Forwarded-For that is no address: its clients share one rate limit',
        );
        return address;
      }
      address = next;
    }
    return address;
  }

  private canonical(text: string): string | null {
    const known = this.known.get(text);
    if (known !== undefined) return known;
    const address = canonicalAddress(text);
    if (address !== null) this.known.set(text, address);
    return address;
  }

  private report(event: string, message: string): void {
    if (this.reported.has(event)) return;
    this.reported.add(event);
    this.logger.warn({ event }, message);
  }
}

/** Null if no proxy is trusted. */
function trustOf(trusted: AppConfig['TRUST_PROXY']): IsTrusted | null {
  if (trusted === 0) return null;
  if (typeof trusted === 'number') return (_address, hop) => hop < trusted;
  const ranges = trusted.map(addressRange);
  return (address) => isWithin(address, ranges);
}
