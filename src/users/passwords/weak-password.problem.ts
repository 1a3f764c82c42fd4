import { Problem } from '../../problems/problem.js';
import type { WeakPassword } from './password-policy.service.js';

/**
 * The answer to a new password that `PasswordPolicy.assess` refused: the same wherever one is chosen.
 *
 * @param path the field of the body that it came in.
 */
export function weakPassword(path: string, { reason, detail, feedback }: WeakPassword): Problem {
  const errors = [{ path, message: detail }];
  return new Problem('weak_password', { detail, members: { reason, errors, ...(feedback && { feedback }) } });
}
