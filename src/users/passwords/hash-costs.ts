import type { HashAlgorithm, PasswordHash } from './formats/hash-format.js';
import { readPasswordHash } from './formats/password-hash.js';

/** The floor as a multiple of the slowest hash alone: other hashes are computed concurrently. */
const HEADROOM = 2.5;
/** How often an algorithm is measured. */
const RUNS = 3;

const [SALT, DIGEST] = ['A'.repeat(22), `${'A'.repeat(42)}8`];

/** Cheap hashes of every algorithm: the cost of others is in proportion to their work. */
const SAMPLES: Readonly<Record<HashAlgorithm, string>> = {
  argon2: `$argon2id$v=19$m=12288,t=1,p=1$${SALT}$${DIGEST}`,
  bcrypt: `$2b$07$${'.'.repeat(22)}${'.'.repeat(31)}`,
  scrypt: `$scrypt$ln=12,r=8,p=1$${SALT}$${DIGEST}`,
  'pbkdf2-sha1': `pbkdf2_sha1$20000$${SALT}$${'A'.repeat(27)}=`,
  'pbkdf2-sha256': `pbkdf2_sha256$20000$${SALT}$${DIGEST}=`,
  'pbkdf2-sha512': `pbkdf2_sha512$20000$${SALT}$${'A'.repeat(86)}==`,
};

/**
 * The time of hashes on this machine. Each algorithm is measured with a cheap hash, in CPU time, so that other programs
 * do not count; the quickest measurement counts, so that other requests of this process do not either. Measuring again
 * only lowers a figure.
 */
export class HashCosts {
  private readonly perWork = new Map<HashAlgorithm, Promise<number>>();

  /** Milliseconds of a hash of this cost. */
  async of({ algorithm, work }: Pick<PasswordHash, 'algorithm' | 'work'>): Promise<number> {
    const known = this.perWork.get(algorithm) ?? measure(algorithm);
    this.perWork.set(algorithm, known);
    known.catch(() => this.perWork.delete(algorithm));
    return work * (await known);
  }

  /** The response-time floor in milliseconds that these hashes need. */
  async floorOf(hashes: readonly Pick<PasswordHash, 'algorithm' | 'work'>[]): Promise<number> {
    const times = await Promise.all(hashes.map((hash) => this.of(hash)));
    return Math.ceil(HEADROOM * Math.max(0, ...times));
  }

  /** Measures the algorithms again that were measured before. */
  async measureAgain(): Promise<void> {
    for (const [algorithm, before] of this.perWork) {
      const lower = Math.min(await before, await measure(algorithm));
      this.perWork.set(algorithm, Promise.resolve(lower));
    }
  }
}

/** Milliseconds per unit of work. */
async function measure(algorithm: HashAlgorithm): Promise<number> {
  const sample = readPasswordHash(SAMPLES[algorithm]);
  if (typeof sample !== 'object') throw new Error(`the sample of ${algorithm} is not a hash`);
  let quickest = Number.POSITIVE_INFINITY;
  for (let run = 0; run < RUNS; run += 1) {
    const before = { cpu: process.cpuUsage(), wall: performance.now() };
    await sample.matches('a password to measure hashing time');
    const { user, system } = process.cpuUsage(before.cpu);
    // The CPU time includes what this process did besides.
    quickest = Math.min(quickest, (user + system) / 1000, performance.now() - before.wall);
  }
  return quickest / sample.work;
}
