/** What writing to a pipe ends with once nobody reads it any more, at the first time and at each further one. */
const CODES: readonly unknown[] = ['EPIPE', 'ERR_STREAM_DESTROYED', 'ERR_STREAM_PREMATURE_CLOSE'];

/** Whether something failed because whoever read the output has gone. */
export function isReaderGone(error: unknown): boolean {
  return CODES.includes((error as NodeJS.ErrnoException | null)?.code);
}

/**
 * Lets a command whose reader has gone (`audit list | head`) go on to its end in silence, instead of ending it with a stack: what
 * it does to the database is done whether somebody reads on or not, and what it opened is closed.
 */
export function outliveReaders(): void {
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', (error) => {
      if (!isReaderGone(error)) throw error;
    });
}
