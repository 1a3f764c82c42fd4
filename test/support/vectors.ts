import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach } from '@jest/globals';
import { SIGNING_ALGORITHMS } from '../../config/auth.config.js';
import { Forge } from '../../src/vectors/forge.js';
import { type RunningIssuer, serveIssuer } from '../../src/vectors/issuer.server.js';
import { type VectorDocument } from '../../src/vectors/vector.document.js';
import { endAllPrograms, freePort, startProgram } from './process.js';

export const AUDIENCE = 'https://api.example.com';

/** Whose tokens these are, on a free port of this machine. */
export async function newForge(algorithm: (typeof SIGNING_ALGORITHMS)[number] = 'ES256'): Promise<Forge> {
  return new Forge(`http://localhost:${await freePort()}`, AUDIENCE, algorithm);
}

/** Serves the keys of a document, as the commands do. */
export async function serveKeys(document: VectorDocument): Promise<RunningIssuer> {
  const result = await serveIssuer(document);
  if (result.state !== 'serving') throw new Error(`${document.issuer} is ${result.state}`);
  return result.issuer;
}

const servers = new Set<Server>();

/** A service that answers each token with the status that `judge` gives, and 401 where there is none. */
export async function startService(
  judge: (token: string) => number | Promise<number>,
  readToken = ({ headers }: IncomingMessage) => /^Bearer (.+)$/.exec(headers.authorization ?? '')?.[1],
): Promise<string> {
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const token = readToken(request);
    response.writeHead(token === undefined ? 401 : await judge(token)).end();
  };
  const server = createServer((request, response) => void answer(request, response));
  servers.add(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

/** Builds what is started as processes of their own, and runs a command as one. */
export async function traffyProcess(...args: string[]) {
  const program = startProgram({ args: ['traffy', 'vectors', ...args] });
  const { code } = await program.exit;
  return { code, out: program.stdout(), err: program.stderr().replace('Traffy: building\n', '') };
}

/** Registers hooks that end the services and programs of a test. */
export function endServices(): void {
  afterEach(async () => {
    for (const server of servers) {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    }
    servers.clear();
  });
  afterEach(endAllPrograms);
}
