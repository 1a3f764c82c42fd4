import type { Command } from 'commander';
import type { AuthConfig } from '../../config/auth.config.js';
import { ChainKeyDoesNotFit } from '../audit/chain-key.js';
import { KeyAdministration } from '../auth/keys/key-administration.service.js';
import { KeyInventory, type KeyListing } from '../auth/keys/key-inventory.service.js';
import { SecretsDoNotFit } from '../auth/keys/key-pair.js';
import { roundInterval } from '../auth/keys/key-times.js';
import type { KeyChange } from '../auth/keys/key-transitions.js';
import { TotpSeeds } from '../auth/factors/totp/totp-seeds.service.js';
import {
  type CommandContext,
  CommandProblem,
  jsonOption,
  type Output,
  print,
  table,
  withDatabase,
} from './command.js';

/** What the commands on keys use. */
interface Keys {
  readonly config: AuthConfig;
  readonly inventory: KeyInventory;
  readonly administration: KeyAdministration;
  readonly seeds: TotpSeeds;
}

/** `traffy keys`: the keys that sign access tokens, and the secrets that encrypt them. */
export function addKeysCommand(program: Command, { config: read }: CommandContext): void {
  const run = (work: (keys: Keys) => Promise<void>) => {
    const config = read();
    return withDatabase(config, (database) =>
      work({
        config: config.auth,
        inventory: new KeyInventory(database, config.auth),
        administration: new KeyAdministration(database, config.auth),
        seeds: new TotpSeeds(database, config.auth),
      }),
    );
  };
  const keys = program
    .command('keys')
    .description('list, rotate and revoke the keys that sign access tokens');
  keys
    .command('list')
    .description('list all keys with their state, newest first')
    .addOption(jsonOption())
    .action((options: Output) => run((of) => list(of, options)));
  keys
    .command('rotate')
    .description(
      'promote the next key now, if it has been published for JWKS_MAX_AGE and 5 s (about 11 minutes after the first start)',
    )
    .addOption(jsonOption())
    .action((options: Output) => run((of) => rotate(of, options)));
  keys
    .command('revoke <kid>')
    .description('revoke a key and all access tokens that it signed, immediately')
    .addOption(jsonOption())
    .action((kid: string, options: Output) => run((of) => revoke(of, kid, options)));
  keys
    .command('rewrap')
    .description('re-encrypt all private keys and other secrets at rest under the first of AUTH_SECRETS')
    .addOption(jsonOption())
    .action((options: Output) => run((of) => rewrap(of, options)));
}

async function list({ config, inventory }: Keys, options: Output): Promise<void> {
  const keys = await inventory.list();
  const secrets = config.AUTH_SECRETS.length;
  const titles = [
    'kid',
    'algorithm',
    'state',
    'published since',
    'signs since',
    'may sign',
    'kept until',
    'encrypted under',
  ];
  const rows = keys.map((key) => [
    key.kid,
    key.algorithm,
    key.revokedAt ? `revoked ${timeOf(key.revokedAt)}` : key.state,
    timeOf(key.publishedSince),
    timeOf(key.signsSince),
    permissionOf(key),
    key.state === 'previous' ? timeOf(key.tokensExpireAt) : '-',
    sealOf(key, secrets),
  ]);
  const data = keys.map((key) => ({
    kid: key.kid,
    algorithm: key.algorithm,
    state: key.state,
    published_since: key.publishedSince,
    signs_since: key.signsSince,
    signed_until: key.signedUntil,
    may_sign: key.isPromotable,
    may_sign_from: key.promotableFrom,
    kept_until: key.tokensExpireAt,
    retired_at: key.retiredAt,
    revoked_at: key.revokedAt,
    sealed_under: key.sealedUnder === null ? null : key.sealedUnder + 1,
  }));
  print(options, { keys: data, secrets }, table(titles, rows));
  const foreign = keys.filter(isForeign);
  if (foreign.length > 0) throw new CommandProblem(noSecretFits(foreign.map(({ kid }) => kid)));
}

async function rotate(keys: Keys, options: Output): Promise<void> {
  refuseForeignSecrets(await keys.inventory.list());
  const outcome = await keys.administration.rotate();
  if (outcome.status === 'no_current') throw new CommandProblem(noKeyYet(keys.config));
  if (outcome.status === 'too_early') {
    throw new CommandProblem(
      `too early: other services may still use a key set without the next key, ${outcome.next}; it may sign from ${timeOf(outcome.promotableFrom)}`,
    );
  }
  const { changes } = outcome;
  const [current, previous, next] = [
    kidOf(changes, 'promoted'),
    kidOf(changes, 'demoted'),
    kidOf(changes, 'published'),
  ];
  const seconds = Math.ceil(roundInterval(keys.config));
  print(
    options,
    { current, previous, next },
    `${current} signs on every node within ${seconds} s. ${previous} stays published until its last token expires. ${next} is the next key.`,
  );
}

async function revoke(
  { config, inventory, administration }: Keys,
  kid: string,
  options: Output,
): Promise<void> {
  const keys = await inventory.list();
  // A key is created or promoted only if the current key is revoked.
  if (keys.some((key) => key.kid === kid && key.state === 'current'))
    refuseForeignSecrets(keys.filter((key) => key.kid !== kid));
  const outcome = await administration.revoke(kid);
  if (outcome.status === 'unknown')
    throw new CommandProblem(`no key has the id ${kid}; traffy keys list shows all keys`);
  if (outcome.status === 'revoked_before')
    return print(
      options,
      { revoked: kid, current: null },
      `${kid} was already revoked: no token that it signed is accepted.`,
    );
  const current = kidOf(outcome.changes, 'promoted');
  const successor = current === null ? '' : ` ${current} signs now.`;
  print(
    options,
    { revoked: kid, current },
    `${kid} is revoked.${successor} Traffy refuses its tokens immediately, other services when they next fetch the key set: within ${config.JWKS_MAX_AGE} s.`,
  );
}

async function rewrap({ config, inventory, seeds: ofApps }: Keys, options: Output): Promise<void> {
  const seeds = await ofApps.rewrap();
  const { rewrapped, unopened, auditChain, ...keys } = await inventory.rewrap();
  const othersMayLeaveAt = seeds.unopened === 0 ? keys.othersMayLeaveAt : null;
  const done = `Re-encrypted ${rewrapped.length} ${rewrapped.length === 1 ? 'key' : 'keys'} under the first of AUTH_SECRETS.${seeds.rewrapped === 0 ? '' : ` Seeds of authenticator apps: ${seeds.rewrapped}.`}`;
  const advice =
    config.AUTH_SECRETS.length === 1
      ? 'All keys are encrypted under the first secret.'
      : `Remove the other secrets from AUTH_SECRETS after ${timeOf(othersMayLeaveAt)} if all nodes use this list now, but not during a change of strategy (pending exchanges).`;
  print(
    options,
    {
      rewrapped,
      unopened,
      totp_seeds: seeds,
      audit_chain: auditChain,
      others_may_leave_at: othersMayLeaveAt,
    },
    othersMayLeaveAt === null ? done : `${done}\n${advice}`,
  );
  const closed = [...unopened, ...(seeds.unopened === 0 ? [] : [seedsOfApps(seeds.unopened)])];
  if (closed.length > 0) throw new CommandProblem(noSecretFits(closed));
  if (auditChain === 'unopened') throw new ChainKeyDoesNotFit();
}

/**
 * Refuses to encrypt a key under secrets that the nodes do not have.
 * @throws SecretsDoNotFit
 */
function refuseForeignSecrets(keys: readonly KeyListing[]): void {
  if (keys.some(isForeign)) throw new SecretsDoNotFit();
}

function isForeign({ state, sealedUnder }: KeyListing): boolean {
  return state !== 'retired' && sealedUnder === null;
}

function seedsOfApps(count: number): string {
  return `${count} ${count === 1 ? 'seed' : 'seeds'} of authenticator apps`;
}

function noSecretFits(what: readonly string[]): string {
  return `none of AUTH_SECRETS decrypts ${what.join(', ')}: add the secret that was used to the end of the list, or revoke what cannot be decrypted any more`;
}

function noKeyYet({ JWT_ALGORITHM: algorithm }: AuthConfig): string {
  return `no key signs with JWT_ALGORITHM=${algorithm} yet: the first start with this setting creates one`;
}

function kidOf(changes: readonly KeyChange[], change: KeyChange['change']): string | null {
  return changes.find((one) => one.change === change)?.kid ?? null;
}

function permissionOf({ isPromotable, promotableFrom, state }: KeyListing): string {
  if (state === 'current') return 'signs';
  if (promotableFrom === null) return '-';
  return isPromotable ? 'now' : `from ${timeOf(promotableFrom)}`;
}

function sealOf({ sealedUnder, state }: KeyListing, secrets: number): string {
  if (state === 'retired') return 'wiped';
  return sealedUnder === null ? 'no secret fits' : `${sealedUnder + 1} of ${secrets}`;
}

function timeOf(date: Date | null): string {
  return date?.toISOString() ?? '-';
}
