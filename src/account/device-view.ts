import type { SessionsReply } from './sessions.dto.js';
import { deviceLabel, readableUserAgent } from '../platform/http/user-agent.js';
import type { SessionListing } from '../auth/sessions/sessions.service.js';

/** A session as replies show it. `currentId` is the session of the request. */
export function deviceView(device: SessionListing, currentId: string): SessionsReply['sessions'][number] {
  return {
    id: device.sessionId,
    current: device.sessionId === currentId,
    strategy: device.strategy,
    created_at: device.createdAt.toISOString(),
    last_used_at: device.lastUsedAt.toISOString(),
    ip: device.ip,
    device: deviceLabel(device.userAgent),
    user_agent: readableUserAgent(device.userAgent),
  };
}
