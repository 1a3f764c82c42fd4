import { createHash, timingSafeEqual } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { Logger } from 'pino';
import type { PasswordConfig } from '../../../config/password.config.js';
import { PASSWORD_CONFIG } from '../../../config/tokens.config.js';
import { LOGGER } from '../../logging/logger.js';
import { BreachCheckUnavailable } from '../../problems/overload.js';

/** Hex digits of the SHA-1 that are told; the rest is compared here. */
const TOLD = 5;
/** Milliseconds for a whole answer: a person waits for it. */
const TIMEOUT = 1_500;
/** Bytes of an answer. The ranges of Have I Been Pwned have about 80 KB, padding included. */
const ANSWER_MAX = 1024 * 1024;

const LINE = /^([0-9A-F]{35}):(\d{1,12})$/i;

/**
 * Whether a password is known to have leaked, by the k-anonymity range API of Have I Been Pwned: a service is told five
 * hex digits of the SHA-1, which some hundred thousand leaked passwords share, and answers with the rest of each.
 * SHA-1 protects nothing here; it is the name of the password in that list.
 */
@Injectable()
export class BreachedPasswords {
  constructor(
    @Inject(PASSWORD_CONFIG) private readonly config: PasswordConfig,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /**
   * @returns false also where nobody is to be asked, or nobody answers and the configuration says to accept.
   * @throws BreachCheckUnavailable where nobody answers and it says to refuse.
   */
  async includes(password: string): Promise<boolean> {
    const url = this.config.BREACHED_PASSWORDS_URL;
    if (url === undefined) return false;
    const digest = createHash('sha1').update(password.normalize('NFC')).digest('hex').toUpperCase();
    let range: string;
    try {
      range = await download(`${url}${digest.slice(0, TOLD)}`);
      return isListed(range, digest.slice(TOLD));
    } catch (error) {
      // Not the URL: it holds the five digits.
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
    // Padding hides from whoever sees the size of the answer which range it is.
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

/** Every line is looked at, whichever is the one. Lines that count 0 are padding. */
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
