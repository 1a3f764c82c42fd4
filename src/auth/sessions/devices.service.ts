import { Inject, Injectable } from '@nestjs/common';
import type { Logger } from 'pino';
import { validate as isUuid } from 'uuid';
import type { Client } from '../../http/client.decorator.js';
import { LOGGER } from '../../logging/logger.js';
import { type SessionListing, SessionsService } from './sessions.service.js';
import { readableUserAgent } from './user-agent.js';

/** A person's own view of their sessions. */
@Injectable()
export class DevicesService {
  constructor(
    private readonly sessions: SessionsService,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /** The live sessions of a person, the newest first, with user agents that a person can read. */
  async list(userId: string): Promise<SessionListing[]> {
    const sessions = await this.sessions.listOfUser(userId);
    return sessions.map((session) => ({ ...session, userAgent: readableUserAgent(session.userAgent) }));
  }

  /** Ends one session of a person; false if they have no such live one. */
  async end(userId: string, sessionId: string, client: Client): Promise<boolean> {
    if (!isUuid(sessionId)) return false;
    const ended = await this.sessions.revokeOwn(userId, sessionId, 'device_removed');
    if (!ended) return false;
    this.logger.info({
      event: 'session_ended',
      request_id: client.requestId,
      ip: client.ip,
      user: userId,
      session: sessionId,
    });
    return true;
  }
}
