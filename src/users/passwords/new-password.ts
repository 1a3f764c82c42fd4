import type { Config } from '../../../config/load.config.js';
import { createLogger } from '../../platform/logging/logger.js';
import { inEnglish } from '../../texts/text.js';
import { BreachedPasswords } from './breached-passwords.service.js';
import { hashParameters, hashPassword } from './new-hash.js';
import { PasswordPolicy } from './password-policy.service.js';

/**
 * Hashes a new password outside of the service, as on the command line.
 *
 * @param email the address of its account.
 * @returns the hash, or the sentences that say why the password is refused.
 */
export async function hashNewPassword(
  config: Config,
  password: string,
  email: string,
): Promise<{ readonly hash: string } | { readonly weakness: string }> {
  // Logs go to standard error: commands print data on standard output.
  const logger = createLogger(config.app, process.stderr);
  const policy = new PasswordPolicy(
    config.password,
    config.app,
    new BreachedPasswords(config.password, logger),
  );
  await policy.onModuleInit();
  const weakness = await policy.assess(password, email);
  if (weakness) return { weakness: weakness.reasons.map(({ detail }) => inEnglish(detail)).join(' ') };
  return { hash: await hashPassword(password, hashParameters(config.password)) };
}
