import { deviceLabel, readableUserAgent } from '../platform/http/user-agent.js';
import type { AuditKind } from './audit-kinds.js';
import { type Language, textsIn } from '../texts/language.js';
import type { AuditRecord } from './audit-log.service.js';

/** The actor as the owner of the account may see it: not which administrator or service. */
type ShownActor = 'user' | 'admin' | 'operator' | 'service' | 'system';

/** An event as the owner of the account sees it. */
export interface OwnEvent {
  readonly id: string;
  readonly kind: AuditKind;
  readonly at: Date;
  readonly description: string;
  readonly actor: ShownActor;
  readonly sessionId: string | null;
  readonly ip: string | null;
  /** The browser and system without versions. */
  readonly device: string | null;
  readonly userAgent: string | null;
  readonly details: Readonly<Record<string, unknown>>;
}

/** The details that are shown. Others, such as those of a new kind, are not. */
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
  passkey_backup_enabled: ['passkey'],
  passkey_backup_refused: ['passkey', 'reason'],
  passkey_disabled: ['passkey', 'reason'],
  recovery_code_used: ['left'],
  user_role_changed: ['role'],
  user_reset: ['factors'],
};

/** The data of an event that the owner of the account can see, described in a language. */
export function toOwnEvent(event: AuditRecord, language: Language): OwnEvent {
  const descriptions: Readonly<Record<string, string>> = textsIn(language).events;
  const actor = shownActor(event.actor);
  // If another actor did it, client data is that actor's.
  const isOwn = actor === 'user';
  const shown = SHOWN[event.kind] ?? [];
  return {
    id: event.id,
    kind: event.kind,
    at: event.at,
    description: descriptions[event.kind] ?? event.kind,
    actor,
    sessionId: actor === 'admin' && event.kind !== 'session_ended' ? null : event.sessionId,
    ip: isOwn ? event.ip : null,
    device: isOwn ? deviceLabel(event.userAgent) : null,
    userAgent: isOwn ? readableUserAgent(event.userAgent) : null,
    details: Object.fromEntries(Object.entries(event.details).filter(([name]) => shown.includes(name))),
  };
}

function shownActor(actor: string): ShownActor {
  const [kind = ''] = actor.split(':');
  return kind === 'user' || kind === 'admin' || kind === 'operator' || kind === 'service' ? kind : 'system';
}
