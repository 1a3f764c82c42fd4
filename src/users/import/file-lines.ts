import type { Hash } from 'node:crypto';
import type { Readable } from 'node:stream';

/** A line of a file. */
export interface FileLine {
  /** From 1. */
  readonly number: number;
  /** Without its end; null for one that is too long to be looked at. */
  readonly bytes: Buffer | null;
  /** Bytes of the file up to its end. */
  readonly offset: number;
}

/** Bytes of a line: of an account with the longest of everything, several times over. */
export const LINE_MAX = 16 * 1024;

const NEWLINE = 0x0a;

/**
 * The lines of a stream, one after the other, in as little memory for a large file as for a small one.
 *
 * @param hash takes up every byte that is read.
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
