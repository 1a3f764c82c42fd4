import type { Config } from '../../../config/load.config.js';
import { createLogger } from '../../logging/logger.js';
import { BreachedPasswords } from './breached-passwords.service.js';
import { hashParameters, hashPassword } from './new-hash.js';
import { PasswordPolicy } from './password-policy.service.js';

/**
 * The hash of a password that somebody chose, outside of the service, as on the command line.
 *
 * @param email the address of its account.
 * @returns or the sentence that says why it is refused.
 */
export async function hashNewPassword(
  config: Config,
  password: string,
  email: string,
): Promise<{ readonly hash: string } | { readonly weakness: string }> {
  // What it logs belongs on standard error: commands print data on standard output.
  const logger = createLogger(config.app, process.stderr);
  const policy = new PasswordPolicy(
    config.password,
    config.app,
    new BreachedPasswords(config.password, logger),
  );
  await policy.onModuleInit();
  const weakness = await policy.assess(password, email);
  if (weakness) return { weakness: weakness.detail };
  return { hash: await hashPassword(password, hashParameters(config.password)) };
}
