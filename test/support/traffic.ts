import { setTimeout as pause } from 'node:timers/promises';
import type { TestApp } from './app.js';
import type { Reply } from './client.js';
import { Holder } from './holder.js';
import { until } from './process.js';
import { PASSWORD } from './strategies.js';

const GOLDEN_RATIO = (Math.sqrt(5) - 1) / 2;

/** Three nodes behind a load balancer, and the constant traffic of their clients. */
export class Traffic {
  private readonly up: TestApp[] = [];
  private readonly inFlight = new Map<TestApp, number>();
  private readonly holders: Holder[] = [];
  private readonly busy = new Set<Holder>();
  private isOver = false;
  private turn = 0;
  private drawn = 0;
  readonly counts = { open: 0, me: 0, refresh: 0, exchange: 0, login: 0 };
  readonly refused: string[] = [];

  add(app: TestApp): void {
    this.up.push(app);
    this.inFlight.set(app, 0);
  }

  /** No more requests for a node; waits for those it has. */
  async drain(app: TestApp): Promise<void> {
    this.up.splice(this.up.indexOf(app), 1);
    await until(() => (this.inFlight.get(app) === 0 ? true : undefined));
  }

  async signIn(email: string, transport: 'bearer' | 'cookie'): Promise<void> {
    const holder = new Holder(email);
    const body = { email, password: PASSWORD, transport };
    holder.take(await this.send('login', (app) => app.client.post('/login', body)));
    this.holders.push(holder);
  }

  /** Clients work until it is over. */
  async run(): Promise<void> {
    while (!this.isOver) {
      const holder = this.holders[(this.turn += 1) % this.holders.length];
      if (!holder || this.busy.has(holder)) {
        await pause(1);
        continue;
      }
      this.busy.add(holder);
      await this.act(holder);
      this.busy.delete(holder);
      await pause(2);
    }
  }

  /** Every client exchanges what is not of this kind any more, and uses what it got. */
  async exchangeAll(kind: 'session' | 'jwt'): Promise<void> {
    for (const holder of this.holders) {
      if (holder.kind === kind) continue;
      await until(() => (this.busy.has(holder) ? undefined : true));
      this.busy.add(holder);
      await this.exchange(holder);
      this.busy.delete(holder);
    }
  }

  /** Waits until clients have sent this many more requests. */
  async more(requests: number): Promise<void> {
    const goal = this.sent + requests;
    await until(() => this.sent >= goal || undefined);
  }

  async end(workers: Promise<void>[]): Promise<void> {
    this.isOver = true;
    await Promise.all(workers);
  }

  get sessionIds(): string[] {
    return this.holders.map(({ sessionId }) => sessionId);
  }

  private get sent(): number {
    const { open, me, refresh, exchange, login } = this.counts;
    return open + me + refresh + exchange + login;
  }

  /** The next number of an even sequence from 0 to 1, the same in every run. */
  private draw(): number {
    this.drawn = (this.drawn + GOLDEN_RATIO) % 1;
    return this.drawn;
  }

  private async act(holder: Holder): Promise<void> {
    const chance = this.draw();
    if (chance < 0.1 && holder.kind === 'jwt') {
      holder.take(await this.send('refresh', (app) => holder.refresh(app)));
    } else if (chance < 0.2 && this.holders.indexOf(holder) % 2) {
      // The others do so only when they must.
      await this.exchange(holder);
    } else if (chance < 0.6) {
      await this.send('open', (app) => holder.open(app));
    } else {
      const reply = await this.send('me', (app) => app.client.get('/me', holder.headers));
      if (reply.body['email'] !== holder.email) this.refused.push(`GET /me: ${reply.text}`);
    }
  }

  private async exchange(holder: Holder): Promise<void> {
    const transport = this.draw() < 0.5 ? 'bearer' : 'cookie';
    const before = holder.sessionId;
    holder.take(await this.send('exchange', (app) => holder.exchange(app, transport)));
    if (holder.sessionId !== before) this.refused.push('an exchange gave another session');
    await this.send('open', (app) => holder.open(app));
  }

  private async send(
    what: keyof Traffic['counts'],
    request: (app: TestApp) => Promise<Reply>,
  ): Promise<Reply> {
    const app = this.up[Math.floor(Math.random() * this.up.length)] as TestApp;
    this.inFlight.set(app, (this.inFlight.get(app) ?? 0) + 1);
    const reply = await request(app);
    this.inFlight.set(app, (this.inFlight.get(app) ?? 0) - 1);
    this.counts[what] += 1;
    if (reply.status !== 200) {
      this.refused.push(
        `${what} at ${app.config.auth.AUTH_STRATEGY.join(',')}: ${reply.status} ${reply.text}`,
      );
    }
    return reply;
  }
}
