import type { Hash } from 'node:crypto';
import type { Readable } from 'node:stream';

/** A line of a file. */
export interface FileLine {
  /** Counted from 1. */
  readonly number: number;
  /** Without its line break; null for a line that is too long. */
  readonly bytes: Buffer | null;
  /** The position in the file after this line, in bytes. */
  readonly offset: number;
}

/** The maximum of bytes in a line: several times an account with the longest values. */
const LINE_MAX = 16 * 1024;

const NEWLINE = 0x0a;

/**
 * Reads the lines of a stream one by one, in constant memory.
 *
 * @param hash is updated with every byte that is read.
 */
export async function* linesOf(stream: Readable, hash: Hash): AsyncGenerator<FileLine> {
  let number = 0;
  let offset = 0;
  let rest: Buffer = Buffer.alloc(0);
  let isTooLong = false;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    hash.update(chunk);
    let from = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, from)) {
      const bytes = Buffer.concat([rest, chunk.subarray(from, end)]);
      number += 1;
      yield { number, bytes: isTooLong || bytes.length > LINE_MAX ? null : bytes, offset: offset + end + 1 };
      from = end + 1;
      rest = Buffer.alloc(0);
      isTooLong = false;
    }
    offset += chunk.length;
    rest = Buffer.concat([rest, chunk.subarray(from)]);
    if (rest.length > LINE_MAX) {
      isTooLong = true;
      rest = Buffer.alloc(0);
    }
  }
  if (rest.length > 0 || isTooLong) yield { number: number + 1, bytes: isTooLong ? null : rest, offset };
}
