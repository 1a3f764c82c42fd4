import { Problem } from '../../platform/problems/problem.js';
import type { Text } from '../../texts/text.js';
import type { WeakPassword } from './password-policy.service.js';

/**
 * The answer to a new password that `PasswordPolicy.assess` refused: the same for all endpoints.
 *
 * @param path the field of the body that contained it.
 */
export function weakPassword(path: string, { reasons, feedback }: WeakPassword): Problem {
  const errors = reasons.map(({ reason, detail: message }) => ({ path, message, reason }));
  const [{ reason }] = reasons;
  const detail: Text = (texts) =>
    reasons.map(({ detail: one }) => (typeof one === 'string' ? one : one(texts))).join(' ');
  return new Problem('weak_password', { detail, members: { reason, errors, ...(feedback && { feedback }) } });
}
