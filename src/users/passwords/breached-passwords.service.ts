import { createHash, timingSafeEqual } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { Logger } from 'pino';
import type { PasswordConfig } from '../../../config/password.config.js';
import { PASSWORD_CONFIG } from '../../../config/tokens.config.js';
import { LOGGER } from '../../platform/logging/logger.js';
import { BreachCheckUnavailable } from '../../platform/problems/overload.js';

/** Hex digits of the SHA-1 that are sent; the rest is compared here. */
const PREFIX = 5;
/** Milliseconds for a complete answer: a user waits for it. */
const TIMEOUT = 1_500;
/** Maximum bytes of an answer. The ranges of Have I Been Pwned have about 80 KB with padding. */
const ANSWER_MAX = 1024 * 1024;

const LINE = /^([0-9A-F]{35}):(\d{1,12})$/i;

/**
 * Whether a password has leaked, by the k-anonymity range API of Have I Been Pwned: the service receives five hex
 * digits of the SHA-1, which some hundred thousand leaked passwords share, and returns the rest of each. SHA-1
 * protects nothing here; it is the key of the list.
 */
@Injectable()
export class BreachedPasswords {
  constructor(
    @Inject(PASSWORD_CONFIG) private readonly config: PasswordConfig,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /**
   * @returns false also if the check is off, or if there is no answer and the configuration says to accept.
   * @throws BreachCheckUnavailable if there is no answer and it says to refuse.
   */
  async includes(password: string): Promise<boolean> {
    const url = this.config.BREACHED_PASSWORDS_URL;
    if (url === undefined) return false;
    const digest = createHash('sha1').update(password.normalize('NFC')).digest('hex').toUpperCase();
    let range: string;
    try {
      range = await download(`${url}${digest.slice(0, PREFIX)}`);
      return isListed(range, digest.slice(PREFIX));
    } catch (error) {
      // The URL is not logged: it contains the five digits.
      const policy = this.config.BREACHED_PASSWORDS_UNAVAILABLE;
      this.logger.warn({ event: 'breach_check_unavailable', cause: causeOf(error), policy });
      if (policy === 'refuse') throw new BreachCheckUnavailable('the range API does not answer');
      return false;
    }
  }
}

class OddAnswer extends Error {}

async function download(url: string): Promise<string> {
  const response = await fetch(url, {
    // Padding hides the range from an observer of the answer's size.
    headers: { 'add-padding': 'true', accept: 'text/plain', 'user-agent': 'traffy' },
    redirect: 'manual',
    signal: AbortSignal.timeout(TIMEOUT),
  });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new OddAnswer(`status ${response.status}`);
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > ANSWER_MAX) throw new OddAnswer('more than 1 MiB');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('latin1');
}

/** Reads every line, also after a match. Lines with count 0 are padding. */
function isListed(range: string, rest: string): boolean {
  const wanted = Buffer.from(rest);
  let isFound = false;
  for (const line of range.split(/\r?\n/)) {
    if (line === '') continue;
    const [, suffix, count] = LINE.exec(line) ?? [];
    if (suffix === undefined) throw new OddAnswer('not the range format');
    const isSame = timingSafeEqual(Buffer.from(suffix.toUpperCase()), wanted);
    isFound = (isSame && Number(count) > 0) || isFound;
  }
  return isFound;
}

function causeOf(error: unknown): string {
  if (error instanceof OddAnswer) return error.message;
  const { name, cause } = error as { name?: unknown; cause?: { code?: unknown } };
  return String(cause?.code ?? name);
}
