import type { FastifyBaseLogger } from 'fastify';

type Line = Parameters<FastifyBaseLogger['info']>;

/**
 * The logger of a request, created at its first line: most requests write none, and creating a child logger costs as
 * much as a line. Its lines carry the bindings, such as the request id.
 */
export class RequestLogger {
  private made: FastifyBaseLogger | undefined;

  constructor(
    private readonly parent: FastifyBaseLogger,
    private readonly bindings: Record<string, unknown>,
  ) {}

  get level(): string {
    return this.parent.level;
  }

  fatal(...line: Line): void {
    this.logger.fatal(...line);
  }

  error(...line: Line): void {
    this.logger.error(...line);
  }

  warn(...line: Line): void {
    this.logger.warn(...line);
  }

  info(...line: Line): void {
    this.logger.info(...line);
  }

  debug(...line: Line): void {
    this.logger.debug(...line);
  }

  trace(...line: Line): void {
    this.logger.trace(...line);
  }

  silent(...line: Line): void {
    this.logger.silent(...line);
  }

  child(...options: Parameters<FastifyBaseLogger['child']>): FastifyBaseLogger {
    return this.logger.child(...options);
  }

  private get logger(): FastifyBaseLogger {
    return (this.made ??= this.parent.child(this.bindings));
  }
}
