import { createServer, type Server } from 'node:http';
import { REVOCATIONS_MEDIA_TYPE } from '../verify/revocations.gate.js';
import { ATTACKER_PATHS, ISSUER_PATHS, type Jwks, type VectorDocument } from './vector.document.js';

/** The running test issuer. */
export interface RunningIssuer {
  /** The attacker's paths that were fetched: the client follows URLs from tokens. */
  readonly fetchedFromTokens: readonly string[];
  close(): Promise<void>;
}

/**
 * How the issuer of a document is reached: served by this process, already served (by `traffy vectors serve` or by
 * the owner of the issuer), or its port is taken by another server.
 */
export type IssuerResult =
  | { readonly state: 'serving'; readonly issuer: RunningIssuer }
  | { readonly state: 'served elsewhere' }
  | { readonly state: 'taken' };

/** An answer and its media type. */
type Page = readonly [type: string, body: string];

/**
 * Serves the key set, the metadata (RFC 8414 §3) and the empty revocation feed of a document's issuer, if the issuer
 * is an http origin of this machine. Its owner must serve any other origin.
 *
 * @param onFetchFromToken receives each fetch of a URL that only forged tokens contain.
 */
export async function serveIssuer(
  document: VectorDocument,
  onFetchFromToken: (path: string) => void = () => undefined,
): Promise<IssuerResult> {
  const { protocol, hostname, port } = new URL(document.issuer);
  const addresses = LOOPBACK.get(hostname);
  if (protocol !== 'http:' || !addresses) return { state: 'served elsewhere' };
  const fetched: string[] = [];
  const pages = pagesOf(document);
  const attackerPages: readonly string[] = Object.values(ATTACKER_PATHS);
  const servers = addresses.map(() =>
    createServer((request, response) => {
      const path = request.url?.split('?')[0] ?? '';
      if (attackerPages.includes(path)) {
        fetched.push(path);
        onFetchFromToken(path);
      }
      const [type, body] = pages.get(path) ?? ['text/plain', 'The test issuer has no such page.\n'];
      response.writeHead(pages.has(path) ? 200 : 404, { 'content-type': type, 'cache-control': 'no-store' });
      response.end(body);
    }),
  );
  const close = async () => {
    await Promise.all(servers.map(stop));
  };
  try {
    for (const [index, host] of addresses.entries()) await listen(servers[index], Number(port || 80), host);
    return { state: 'serving', issuer: { fetchedFromTokens: fetched, close } };
  } catch (error) {
    await close();
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    return { state: (await servesKeysOf(document)) ? 'served elsewhere' : 'taken' };
  }
}

/** The names of this machine with their addresses; the first of them exists on every machine. */
const LOOPBACK: ReadonlyMap<string, readonly string[]> = new Map([
  ['localhost', ['127.0.0.1', '::1']],
  ['127.0.0.1', ['127.0.0.1']],
  ['[::1]', ['::1']],
]);

function pagesOf({ issuer, jwks, revocations, attacker }: VectorDocument): ReadonlyMap<string, Page> {
  const metadata: Page = [
    'application/json',
    JSON.stringify({
      issuer,
      jwks_uri: `${issuer}${ISSUER_PATHS.jwks}`,
      revocations_uri: `${issuer}${ISSUER_PATHS.revocations}`,
    }),
  ];
  return new Map([
    [ISSUER_PATHS.jwks, keySet(jwks)],
    [ISSUER_PATHS.metadata, metadata],
    [ISSUER_PATHS.openIdMetadata, metadata],
    [ISSUER_PATHS.revocations, [REVOCATIONS_MEDIA_TYPE, revocations]],
    [ATTACKER_PATHS.jwks, keySet(attacker.jwks)],
    [ATTACKER_PATHS.certificate, ['application/x-pem-file', attacker.certificate]],
  ]);
}

function keySet(keys: Jwks): Page {
  return ['application/jwk-set+json', JSON.stringify(keys)];
}

/** Listens, unless the machine has no such address: many have no IPv6. */
async function listen(server: Server | undefined, port: number, host: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server?.once('error', (error: NodeJS.ErrnoException) =>
      host === '::1' && error.code !== 'EADDRINUSE' ? resolve() : reject(error),
    );
    server?.listen({ port, host }, resolve);
  });
}

async function stop(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise<void>((resolve) => server.close(() => resolve()));
}

async function servesKeysOf({ issuer, jwks }: VectorDocument): Promise<boolean> {
  try {
    const reply = await fetch(`${issuer}${ISSUER_PATHS.jwks}`, { signal: AbortSignal.timeout(5000) });
    const served = (await reply.json()) as Jwks;
    return JSON.stringify(served.keys) === JSON.stringify(jwks.keys);
  } catch {
    return false;
  }
}
