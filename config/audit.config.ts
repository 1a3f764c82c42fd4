import { duration, type Setting, type Values } from './setting.config.js';

export const auditSettings = {
  AUDIT_RETENTION: {
    schema: duration({ min: 1, max: 3660 * 86_400 }),
    default: '400d',
    meaning: 'Retention of audit events.',
  },
} satisfies Record<string, Setting>;

export type AuditConfig = Values<typeof auditSettings>;
