import type { EventTexts } from '../texts/en.js';
import { DEFAULT_LANGUAGE, textsIn } from '../texts/language.js';

/** The kind of an audit event. */
export type AuditKind = keyof EventTexts;

/** Every kind of audit event, with a short text for the owner of the account. */
export const AUDIT_KINDS: EventTexts = textsIn(DEFAULT_LANGUAGE).events;
