import { Agent, request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createTestDatabase, onServer, type TestDatabase } from '../support/database.js';
import { endAllPrograms, freePort, type Program, startProgram, until } from '../support/process.js';
import { LOAD_BALANCERS, type ReverseProxy, startProxy, stopAllProxies } from '../support/reverse-proxies.js';
import { freshEmail, PASSWORD } from '../support/strategies.js';

const ROLLS = 4;
const CLIENTS = 4;

interface Outcome {
  readonly call: string;
  readonly result: number | string;
}

/** Sends requests on kept connections until it is stopped: a read, and a write that must not be repeated. */
class Load {
  readonly outcomes: Outcome[] = [];
  private readonly agent = new Agent({ keepAlive: true, maxSockets: CLIENTS });
  private isOver = false;
  private readonly running: Promise<unknown>;

  constructor(
    private readonly proxy: ReverseProxy,
    private readonly account: { email: string; password: string },
  ) {
    this.running = Promise.all(Array.from({ length: CLIENTS }, (_, index) => this.run(index)));
  }

  async stop(): Promise<void> {
    this.isOver = true;
    await this.running;
    this.agent.destroy();
  }

  private async run(index: number): Promise<void> {
    while (!this.isOver) {
      const isWrite = index % 2 === 0;
      const call = isWrite ? 'POST /login' : 'GET /me';
      this.outcomes.push({ call, result: await this.send(isWrite) });
    }
  }

  private send(isWrite: boolean): Promise<number | string> {
    const body = isWrite ? JSON.stringify(this.account) : undefined;
    return new Promise((resolve) => {
      const sent = request(
        {
          agent: this.agent,
          host: this.proxy.host,
          port: this.proxy.port,
          method: isWrite ? 'POST' : 'GET',
          path: isWrite ? '/login' : '/me',
          headers: body
            ? { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
            : {},
        },
        (reply) => {
          reply.resume();
          reply.once('end', () => resolve(reply.statusCode ?? 0));
          reply.once('error', (error) => resolve(error.message));
        },
      );
      sent.once('error', (error) => resolve(error.message));
      sent.end(body);
    });
  }
}

(onServer ? describe : describe.skip)('two nodes behind a load balancer', () => {
  let database: TestDatabase;
  let ports: [number, number];
  const nodes: Program[] = [];
  const loads = new Map<string, Load>();
  const exits: (number | null | undefined)[] = [];

  const start = async (index: number) => {
    const env = {
      ...database.env,
      PORT: String(ports[index]),
      TRUST_PROXY: '1',
      SHUTDOWN_DELAY: '3s',
      RATE_LIMIT_LOGIN: 'off',
      RATE_LIMIT_SIGNUP: 'off',
      RATE_LIMIT_DEFAULT: 'off',
      LOG_LEVEL: 'warn',
    };
    const node = startProgram({ env });
    await node.ready();
    nodes[index] = node;
  };

  // Restarted four times under load from all balancers, each node twice.
  beforeAll(async () => {
    database = await createTestDatabase();
    ports = [await freePort(), await freePort()];
    await Promise.all([start(0), start(1)]);
    const account = { email: freshEmail(), password: PASSWORD };
    const signedUp = await fetch(`http://127.0.0.1:${ports[0]}/signup`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(account),
    });
    if (signedUp.status !== 201) throw new Error(`the sign-up failed: ${signedUp.status}`);
    for (const balancer of LOAD_BALANCERS) {
      const proxy = await startProxy(balancer, {
        traffy: `127.0.0.1:${ports[0]}`,
        second: `127.0.0.1:${ports[1]}`,
        application: '127.0.0.1:9',
      });
      loads.set(balancer.name, new Load(proxy, account));
    }
    for (let roll = 0; roll < ROLLS; roll += 1) {
      const index = roll % 2;
      exits.push((await nodes[index]?.kill('SIGTERM'))?.code);
      await start(index);
      // The balancer has to see that the node is back before the other one goes, as an operator would wait for.
      const counts = [...loads.values()].map(({ outcomes }) => outcomes.length);
      await until(
        () =>
          [...loads.values()].every(({ outcomes }, at) => outcomes.length > (counts[at] ?? 0) + 40) ||
          undefined,
      );
    }
    await Promise.all([...loads.values()].map((load) => load.stop()));
  }, 180_000);
  afterAll(async () => {
    await stopAllProxies();
    await endAllPrograms();
    await database?.drop();
  });

  it.each(LOAD_BALANCERS.map(({ name }) => name))(
    'behind %s, four restarts fail no request, GET or POST [fault 11]',
    (name) => {
      const { outcomes = [] } = loads.get(name) ?? {};
      const failed = outcomes.filter(({ result }) => result !== 200);
      expect(failed).toEqual([]);
      expect(exits).toEqual([0, 0, 0, 0]);
      for (const call of ['GET /me', 'POST /login'])
        expect(outcomes.filter((outcome) => outcome.call === call).length).toBeGreaterThan(100);
    },
  );
});
