import { spawn } from 'node:child_process';
import { Redis } from 'ioredis';
import { freePort, until } from './process.js';
import { findProgram } from './reverse-proxies.js';

/** A Redis of its own, which a test can break. */
export interface RedisServer {
  readonly url: string;
  /** Runs a command as an administrator. */
  command(name: string, ...args: string[]): Promise<unknown>;
  stop(): Promise<void>;
}

export async function startRedis(): Promise<RedisServer> {
  const program = findProgram('redis-server');
  if (program === undefined) throw new Error('redis-server is not installed');
  const port = await freePort();
  const child = spawn(program, ['--port', String(port), '--save', '', '--bind', '127.0.0.1'], {
    stdio: 'ignore',
  });
  const admin = new Redis({ port, host: '127.0.0.1', retryStrategy: () => 50, maxRetriesPerRequest: null });
  admin.on('error', () => undefined);
  await until(async () => ((await admin.ping()) === 'PONG' ? true : undefined), 10_000);
  return {
    url: `redis://127.0.0.1:${port}`,
    command: (name, ...args) => admin.call(name, ...args),
    stop: async () => {
      admin.disconnect();
      const closed = new Promise((resolve) => child.once('close', resolve));
      child.kill('SIGTERM');
      await closed;
    },
  };
}
