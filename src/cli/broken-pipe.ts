/** Error codes of a write to a broken pipe, on the first write and on each later one. */
const CODES: readonly unknown[] = ['EPIPE', 'ERR_STREAM_DESTROYED', 'ERR_STREAM_PREMATURE_CLOSE'];

/** Whether an operation failed because the reader of the output closed the pipe. */
export function isBrokenPipe(error: unknown): boolean {
  return CODES.includes((error as NodeJS.ErrnoException | null)?.code);
}

/**
 * Lets a command with a broken output pipe (`audit list | head`) run to its end without a stack trace. Its changes of
 * the database are completed, and its resources are closed.
 */
export function ignoreBrokenPipes(): void {
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', (error) => {
      if (!isBrokenPipe(error)) throw error;
    });
}
