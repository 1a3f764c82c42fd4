import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Output } from '../../src/platform/logging/standard-output.js';
import { until } from '../support/process.js';

const LINE = `${'x'.repeat(1_023)}\n`;
const cleanup: (() => void)[] = [];
afterEach(() => {
  for (const step of cleanup.splice(0).toReversed()) step();
});

/** A named pipe: the descriptor that is written, and one that reads what is there. */
function openPipe(): { fd: number; read(): string } {
  const folder = mkdtempSync(join(tmpdir(), 'traffy-pipe-'));
  const path = join(folder, 'pipe');
  execFileSync('mkfifo', [path]);
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const fd = openSync(path, constants.O_WRONLY);
  cleanup.push(() => {
    closeSync(reader);
    rmSync(folder, { recursive: true });
  });
  const buffer = Buffer.alloc(65_536);
  return {
    fd,
    read: () => {
      try {
        return buffer.toString('utf8', 0, readSync(reader, buffer));
      } catch {
        return '';
      }
    },
  };
}

(process.platform === 'win32' ? describe.skip : describe)('log lines', () => {
  it('never wait for a pipe that is not read; some are dropped, counted and reported [O1]', async () => {
    const { fd, read } = openPipe();
    const output = new Output(fd);
    cleanup.push(() => output.end());
    const reports: number[] = [];
    output.onRecovery((dropped) => {
      reports.push(dropped);
      output.write(`dropped ${dropped}\n`);
    });
    const written = 4_000;
    for (let line = 0; line < written; line += 1) {
      output.write(LINE);
      // Lets the stream write in between, as a service does.
      if (line % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(reports).toEqual([]);
    let text = '';
    await until(() => {
      text += read();
      return text.includes('dropped ') && text.endsWith('\n') ? true : undefined;
    });
    const kept = text.split('\n').filter((line) => line.startsWith('x')).length;
    expect(kept).toBeLessThan(written);
    expect(reports).toEqual([written - kept]);
    // Whole lines only, in order.
    expect(text.replaceAll(LINE, '')).toBe(`dropped ${written - kept}\n`);
  });

  it('are dropped on a full disk without an error [O1]', async () => {
    const output = new Output(openSync('/dev/full', 'w'));
    for (let line = 0; line < 4_000; line += 1) {
      output.write(LINE);
      if (line % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    const startedAt = performance.now();
    expect(() => output.end()).not.toThrow();
    expect(performance.now() - startedAt).toBeLessThan(2_000);
  });
});
