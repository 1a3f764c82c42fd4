import { readableUserAgent } from '../http/user-agent.js';
import { AUDIT_KINDS, type AuditKind } from './audit-kinds.js';
import type { AuditRecord } from './audit-log.service.js';

/** Who did something, as the owner of the account may know it: not which administrator, or which service. */
export type ShownActor = 'user' | 'admin' | 'operator' | 'service' | 'system';

/** An event as the owner of the account sees it. */
export interface OwnEvent {
  readonly id: string;
  readonly kind: AuditKind;
  readonly at: Date;
  readonly description: string;
  readonly actor: ShownActor;
  readonly sessionId: string | null;
  readonly ip: string | null;
  readonly userAgent: string | null;
  readonly details: Readonly<Record<string, unknown>>;
}

/** What is shown of the details. What does not stand here is not: a new kind, or a new detail, stays inside. */
const SHOWN: Partial<Record<AuditKind, readonly string[]>> = {
  login: ['methods', 'device'],
  login_failed: ['reason', 'method', 'attempt'],
  mfa_failed: ['factor', 'reason', 'attempt'],
  authenticator_locked: ['authenticator', 'locked', 'failures'],
  logout: ['scope', 'sessions'],
  session_ended: ['reason'],
  sessions_revoked: ['reason', 'sessions'],
  refresh_reused: ['cause'],
  credential_exchanged: ['from', 'to'],
  reauthenticated: ['methods'],
  reauthentication_failed: ['reason', 'purpose', 'attempt'],
  // Addresses are recorded masked.
  email_change_requested: ['email'],
  email_changed: ['from', 'to'],
  profile_changed: ['fields'],
  password_reset: ['factors'],
  passkey_added: ['passkey'],
  passkey_renamed: ['passkey'],
  passkey_removed: ['passkey'],
  passkey_suspicious: ['passkey'],
  recovery_code_used: ['left'],
  user_role_changed: ['role'],
  user_reset: ['factors'],
};

/** What the owner of the account may know of an event. */
export function toOwnEvent(event: AuditRecord): OwnEvent {
  const actor = shownActor(event.actor);
  // Where somebody else did it, the rest tells of them.
  const isOwn = actor === 'user';
  const shown = SHOWN[event.kind] ?? [];
  return {
    id: event.id,
    kind: event.kind,
    at: event.at,
    description: AUDIT_KINDS[event.kind] ?? event.kind,
    actor,
    sessionId: actor === 'admin' && event.kind !== 'session_ended' ? null : event.sessionId,
    ip: isOwn ? event.ip : null,
    userAgent: isOwn ? readableUserAgent(event.userAgent) : null,
    details: Object.fromEntries(Object.entries(event.details).filter(([name]) => shown.includes(name))),
  };
}

function shownActor(actor: string): ShownActor {
  const [kind = ''] = actor.split(':');
  return kind === 'user' || kind === 'admin' || kind === 'operator' || kind === 'service' ? kind : 'system';
}
