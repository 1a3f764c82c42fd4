import { createHistogram } from 'node:perf_hooks';
import { Client, Pool } from 'undici';

/** Servers close idle connections sooner by themselves; then the next visit opens new ones before it counts. */
const KEPT = { keepAliveTimeout: 60_000, keepAliveMaxTimeout: 60_000 };

/** Latencies in nanoseconds. */
export const latencies = () => createHistogram({ lowest: 1, highest: 120e9, figures: 3 });

/** Percentiles of latencies, in milliseconds. */
export function percentiles(histogram) {
  const at = (percentile) => histogram.percentile(percentile) / 1e6;
  return { count: histogram.count, p50: at(50), p99: at(99), max: histogram.max / 1e6 };
}

/** Sends a request and reads the reply to its end. A reply with an error status is a reply. */
export function send(dispatcher, { method = 'GET', path, headers, body }) {
  return new Promise((resolve, reject) => {
    let status;
    let retryAfter;
    const chunks = [];
    dispatcher.dispatch(
      { method, path, headers, body },
      {
        onRequestStart() {},
        onResponseStart(_controller, statusCode, fields) {
          status = statusCode;
          retryAfter = fields['retry-after'];
        },
        onResponseData(_controller, chunk) {
          chunks.push(chunk);
        },
        onResponseEnd() {
          resolve({ status, retryAfter, body: chunks.length === 1 ? chunks[0] : Buffer.concat(chunks) });
        },
        onResponseError(_controller, error) {
          reject(error);
        },
      },
    );
  });
}

/** A fixed number of kept connections to one server, each with one request under way at a time. */
export class Connections {
  constructor(origin, count) {
    this.clients = Array.from({ length: count }, () => new Client(origin, { ...KEPT, pipelining: 1 }));
  }

  /**
   * Sends one request so many times, spread over the connections, and looks at every reply.
   *
   * @param check is given what each reply is, and throws if it is not what it has to be.
   * @param histogram takes the latencies.
   * @param msMax after which no more are sent.
   * @returns how many there were, and the milliseconds that they took.
   */
  async repeat(count, request, check, histogram, msMax = Infinity) {
    let sent = 0;
    const since = performance.now();
    await Promise.all(
      this.clients.map(async (client) => {
        while (sent < count && performance.now() - since < msMax) {
          sent += 1;
          const at = performance.now();
          const reply = await send(client, request);
          if (histogram) record(histogram, at);
          check(reply);
        }
      }),
    );
    return { count: sent, ms: performance.now() - since };
  }

  close() {
    return Promise.all(this.clients.map((client) => client.destroy()));
  }
}

/**
 * Sends one request at a steady rate, however slow the responses: the view of a visitor while the server is busy.
 *
 * @param ask sends the request and checks the response.
 * @param histogram records the latencies.
 * @returns a function that stops it: waits for pending requests, and throws the first error.
 */
export function askSteadily(ask, perSecond, histogram) {
  const underWay = new Set();
  let failure;
  const timer = setInterval(() => {
    const sent = performance.now();
    const asking = ask()
      .then(() => record(histogram, sent))
      .catch((error) => (failure ??= error))
      .finally(() => underWay.delete(asking));
    underWay.add(asking);
  }, 1000 / perSecond);
  return async () => {
    clearInterval(timer);
    await Promise.all(underWay);
    if (failure) throw failure;
  };
}

/** Asks on a few connections that stay open, as a load balancer does. */
export function onKeptConnections(origin, request, check) {
  const pool = new Pool(origin, { ...KEPT, pipelining: 1, connections: 4 });
  const ask = async () => check(await send(pool, request));
  return { ask, close: () => pool.destroy() };
}

/** Asks on a new connection each time, as a health check does. */
export async function onNewConnection(origin, request, check) {
  const client = new Client(origin);
  try {
    check(await send(client, request));
  } finally {
    await client.destroy();
  }
}

/** Notes what has passed since a moment. */
export function record(histogram, since) {
  histogram.record(Math.max(1, Math.round((performance.now() - since) * 1e6)));
}

/** Checks replies for a status and a JSON body. A body that was good once is not parsed again. */
export function expectJson(name, isGood) {
  let known = Buffer.alloc(0);
  return ({ status, body }) => {
    if (status === 200 && known.equals(body)) return;
    if (status !== 200 || !isGood(JSON.parse(body)))
      throw new Error(`${name} answered ${status}: ${body.toString().slice(0, 300)}`);
    known = body;
  };
}
