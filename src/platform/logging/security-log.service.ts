import { Inject, Injectable } from '@nestjs/common';
import type { Logger } from 'pino';
import type { Client } from '../http/client.decorator.js';
import { LOGGER } from './logger.js';

/** Writes one log line for a security decision, with the request and the client that caused it. */
@Injectable()
export class SecurityLog {
  constructor(@Inject(LOGGER) private readonly logger: Logger) {}

  /**
   * @param event the name of the decision, as in `login_failed`.
   * @param fields further fields of the line; no secrets, and e-mail addresses masked.
   */
  write(event: string, { requestId, ip }: Client, fields: Readonly<Record<string, unknown>> = {}): void {
    this.logger.info({ event, request_id: requestId, ip, ...fields });
  }
}
