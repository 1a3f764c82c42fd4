import { fstatSync, write, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import type { DestinationStream } from 'pino';

/** Bytes of lines that are written together, and the most milliseconds that a line waits. */
const BLOCK = 8_192;
const FLUSH_INTERVAL = 100;
/** Bytes of lines that wait for a reader or for space on the disk; further lines are dropped. */
const WAITING_MAX = 1_048_576;
/** Attempts at the exit of the process to write what waits, and the milliseconds between them. */
const ATTEMPTS_AT_EXIT = 3;
const PAUSE_AT_EXIT = 50;

/**
 * Where lines go, in blocks: a system call per line would cost more than the request. A write never waits and never
 * fails. While a disk is full or a reader does not read, lines wait in a bounded buffer, and further ones are dropped and
 * counted. A killed process loses the last 100 ms.
 *
 * Not pino's own destination: it waits without a limit for a reader or a full disk when the process exits.
 */
export class Output implements DestinationStream {
  private waiting: string[] = [];
  private bytes = 0;
  /** What is being written. */
  private block: Buffer = Buffer.alloc(0);
  private state: 'idle' | 'writing' | 'ended' = 'idle';
  private timer: NodeJS.Timeout | undefined;
  private dropped = 0;
  private readonly listeners: ((dropped: number) => void)[] = [];
  private readonly isNonBlocking: boolean;

  constructor(private readonly fd: number) {
    this.isNonBlocking = makeNonBlocking(fd);
  }

  write(line: string): void {
    const size = Buffer.byteLength(line);
    if (this.state === 'ended' || this.bytes + this.block.length + size > WAITING_MAX) {
      this.dropped += 1;
      return;
    }
    this.waiting.push(line);
    this.bytes += size;
    if (this.bytes >= BLOCK && this.block.length === 0) this.flush();
    else this.flushSoon();
  }

  /** Calls a listener when lines can be written again, with the number of those that were dropped. */
  onRecovery(listener: (dropped: number) => void): void {
    this.listeners.push(listener);
  }

  /** Writes what waits, unless nothing can be written. The last call: later lines are lost. */
  end(): void {
    clearTimeout(this.timer);
    // A block that another thread is writing would be written twice.
    const rest = this.state === 'writing' ? [] : [this.block];
    this.state = 'ended';
    let left = Buffer.concat([...rest, Buffer.from(this.waiting.join(''))]);
    for (let attempt = 0; left.length > 0 && attempt < ATTEMPTS_AT_EXIT;) {
      try {
        left = left.subarray(writeSync(this.fd, left));
      } catch {
        attempt += 1;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_AT_EXIT);
      }
    }
  }

  private flushSoon(): void {
    this.timer ??= setTimeout(() => this.flush(), FLUSH_INTERVAL).unref();
  }

  private flush(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (this.state !== 'idle') return;
    if (this.block.length === 0) {
      this.block = Buffer.from(this.waiting.join(''));
      this.waiting = [];
      this.bytes = 0;
    }
    if (this.block.length === 0) return;
    if (this.isNonBlocking) {
      try {
        this.written(writeSync(this.fd, this.block));
      } catch {
        this.flushSoon();
      }
      return;
    }
    this.state = 'writing';
    write(this.fd, this.block, (error, length) => {
      if (this.state === 'ended') return;
      this.state = 'idle';
      if (error) this.flushSoon();
      else this.written(length);
    });
  }

  private written(length: number): void {
    this.block = this.block.subarray(length);
    if (this.block.length > 0 || this.bytes >= BLOCK) {
      setImmediate(() => this.flush()).unref();
      return;
    }
    if (this.bytes > 0) this.flushSoon();
    if (this.dropped === 0) return;
    const { dropped } = this;
    this.dropped = 0;
    for (const listener of this.listeners) listener(dropped);
  }
}

let standard: Output | undefined;

/** The standard output of the process. */
export function standardOutput(): Output {
  if (standard) return standard;
  const output = new Output(1);
  process.once('exit', () => output.end());
  standard = output;
  return output;
}

/**
 * A write to a full pipe or socket would block the process. Node.js has no function for the flag, but a socket object
 * sets it.
 *
 * @returns false for a file or a terminal, where another thread writes.
 */
function makeNonBlocking(fd: number): boolean {
  try {
    const kind = fstatSync(fd);
    if (!kind.isFIFO() && !kind.isSocket()) return false;
    new Socket({ fd, readable: false, writable: true }).on('error', () => undefined).unref();
    return true;
  } catch {
    // A closed descriptor: writes fail, and are ignored.
    return false;
  }
}
