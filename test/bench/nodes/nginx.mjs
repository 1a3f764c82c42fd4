import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { freePort } from '../harness/server.mjs';

/** Starts nginx in front of nodes, with kept connections to them, one after another in turn. */
export async function startNginx(origins, folder) {
  const program = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin']
    .map((place) => join(place, 'nginx'))
    .find((file) => existsSync(file));
  if (!program) throw new Error('nginx is not installed');
  const port = await freePort();
  const place = join(folder, `nginx-${port}`);
  mkdirSync(place);
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (what) => `${what}_temp_path ${place}/${what};`,
  );
  const servers = origins.map((origin) => `server ${new URL(origin).host};`).join(' ');
  writeFileSync(
    join(place, 'nginx.conf'),
    `daemon off; master_process off; pid ${place}/nginx.pid; error_log stderr;
    events { worker_connections 1024; }
    http {
      access_log off; ${temporary.join(' ')}
      keepalive_requests 1000000;
      upstream traffy { ${servers} keepalive 64; keepalive_requests 1000000; }
      server {
        listen 127.0.0.1:${port};
        location / {
          proxy_pass http://traffy;
          proxy_http_version 1.1;
          proxy_set_header Connection "";
          proxy_set_header Host $host;
          proxy_set_header X-Forwarded-For $remote_addr;
          proxy_set_header X-Forwarded-Proto https;
        }
      }
    }`,
  );
  const child = spawn(program, ['-e', 'stderr', '-p', place, '-c', join(place, 'nginx.conf')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let log = '';
  child.stderr.on('data', (chunk) => (log += chunk));
  const exited = once(child, 'exit');
  const origin = `http://127.0.0.1:${port}`;
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGTERM');
    await exited;
  };
  for (let attempt = 0; attempt < 200; attempt += 1) {
    if (child.exitCode !== null) throw new Error(`nginx did not start:\n${log}`);
    const answer = await fetch(`${origin}/health/live`).catch(() => null);
    if (answer?.ok) {
      await answer.arrayBuffer();
      return { origin, stop };
    }
    await pause(25);
  }
  await stop();
  throw new Error(`nginx did not come up:\n${log}`);
}
