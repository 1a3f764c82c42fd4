import type { SessionsReply } from './sessions.dto.js';
import type { SessionListing } from './sessions.service.js';

/** A session as replies show it. `currentId` is that of the session that asks. */
export function deviceView(device: SessionListing, currentId: string): SessionsReply['sessions'][number] {
  return {
    id: device.sessionId,
    current: device.sessionId === currentId,
    strategy: device.strategy,
    created_at: device.createdAt.toISOString(),
    last_used_at: device.lastUsedAt.toISOString(),
    ip: device.ip,
    user_agent: device.userAgent,
  };
}
