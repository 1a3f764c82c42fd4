import { isLanguage } from '../texts/language.js';
import type { AccountReply } from './users.dto.js';
import type { Account } from './users.service.js';

/** An account as replies show it to its owner. */
export function accountView(user: Account): AccountReply {
  return {
    id: user.id,
    email: user.email,
    email_verified: Boolean(user.emailVerifiedAt),
    name: user.name ?? null,
    language: isLanguage(user.language) ? user.language : null,
    role: user.role === 'admin' ? 'admin' : 'user',
    created_at: user.createdAt.toISOString(),
  };
}
