import { Agent, request } from 'node:http';

/** Sends requests over one kept connection, and says how long each took until its last byte. */
export class Client {
  agent = new Agent({ keepAlive: true, maxSockets: 1 });

  constructor(origin) {
    const { hostname, port } = new URL(origin);
    Object.assign(this, { hostname, port });
  }

  send(method, path, headers, body) {
    const payload = body === undefined ? undefined : JSON.stringify(body);
    return new Promise((resolve, reject) => {
      const since = performance.now();
      const { agent, hostname, port } = this;
      const sent = request(
        {
          agent,
          hostname,
          port,
          method,
          path,
          headers: {
            ...headers,
            ...(payload && {
              'content-type': 'application/json',
              'content-length': Buffer.byteLength(payload),
            }),
          },
        },
        (reply) => {
          const chunks = [];
          reply.on('data', (chunk) => chunks.push(chunk));
          reply.on('error', reject);
          reply.on('end', () => {
            const ms = performance.now() - since;
            const text = Buffer.concat(chunks).toString();
            resolve({ status: reply.statusCode, ms, body: text === '' ? null : JSON.parse(text) });
          });
        },
      );
      sent.on('error', reject);
      sent.end(payload);
    });
  }

  close() {
    this.agent.destroy();
  }
}
