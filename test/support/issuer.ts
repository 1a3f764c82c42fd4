import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { v7 as uuidv7 } from 'uuid';
import { encode, issueToken, publicJwk, type Members, newKey, signParts, type TestKey } from './jwt.js';

/** What an address of the issuer answers. */
export type Answer = (request: IncomingMessage, response: ServerResponse) => void;

const AUDIENCE = 'https://api.example.com';

/** An issuer that can be made to fail, to lie and to be attacked, which the service itself cannot. */
export interface TestIssuer {
  /** Its origin, which is also its name. */
  readonly origin: string;
  readonly audience: string;
  readonly key: TestKey;
  /** How often each path was asked for, with the query. */
  readonly asked: string[];
  keys: Answer;
  feed: Answer;
  /** A good token, with some claims changed. */
  token(claims?: Members, key?: TestKey): string;
  /** A copy of the feed, with some members changed. */
  document(payload?: Members, header?: Members, key?: TestKey): string;
  close(): Promise<void>;
}

export async function startIssuer(): Promise<TestIssuer> {
  const key = newKey('ES256');
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const url = request.url ?? '';
    asked.push(url);
    if (url.startsWith('/.well-known/jwks.json')) return issuer.keys(request, response);
    return issuer.feed(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const now = () => Math.floor(Date.now() / 1000);
  const issuer: TestIssuer = {
    origin,
    audience: AUDIENCE,
    key,
    asked,
    keys: keySet([publicJwk(key)]),
    feed: (request, response) => answer(issuer.document())(request, response),
    token: (claims = {}, signer = key) =>
      issueToken(signer, {
        iss: origin,
        aud: AUDIENCE,
        sub: uuidv7(),
        sid: uuidv7(),
        jti: uuidv7(),
        client_id: 'traffy',
        iat: now(),
        nbf: now() - 5,
        exp: now() + 600,
        auth_time: now(),
        amr: ['pwd'],
        ...claims,
      }),
    document: (payload = {}, header = {}, signer = key) =>
      signParts(
        encode({ alg: signer.algorithm, kid: signer.kid, typ: 'revocations+jwt', ...header }),
        encode({
          iss: origin,
          iat: now(),
          exp: now() + 60,
          since: null,
          cursor: 'c1',
          entries: [],
          ...payload,
        }),
        signer.privateKey,
        signer.algorithm,
      ),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return issuer;
}

export function keySet(keys: readonly unknown[], headers: Readonly<Record<string, string>> = {}): Answer {
  return answer(JSON.stringify({ keys }), 200, headers);
}

export function answer(body: string, status = 200, headers: Readonly<Record<string, string>> = {}): Answer {
  return (_request, response) => void response.writeHead(status, headers).end(body);
}
