import { Inject, Injectable } from '@nestjs/common';
import type { Logger } from 'pino';
import { validate as isUuid } from 'uuid';
import { Database } from '../../database/database.js';
import type { Client } from '../../http/client.decorator.js';
import { readableUserAgent } from '../../http/user-agent.js';
import { LOGGER } from '../../logging/logger.js';
import { recordEnded } from './ended-sessions.js';
import { type SessionListing, SessionsService } from './sessions.service.js';

/** A person's own view of their sessions. */
@Injectable()
export class DevicesService {
  constructor(
    private readonly database: Database,
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
    const reason = 'device_removed';
    const ended = await this.database.transaction(async (tx) => {
      const isEnded = await this.sessions.revokeOwn(userId, sessionId, reason, tx);
      if (isEnded) await recordEnded(tx, [{ sessionId, userId }], { reason, client });
      return isEnded;
    });
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
