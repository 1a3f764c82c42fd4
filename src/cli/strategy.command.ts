import type { Command } from 'commander';
import type { Config } from '../../config/load.config.js';
import { LiveCredentials } from '../auth/nodes/live-credentials.service.js';
import { Nodes } from '../auth/nodes/nodes.service.js';
import { describeNode, type LiveNode } from '../auth/nodes/serving-node.js';
import { type KindStatus, strategyStatus, type StrategyStatus } from '../auth/nodes/strategy-status.js';
import { textOf } from '../auth/nodes/strategy-steps.js';
import {
  type CommandContext,
  CommandProblem,
  jsonOption,
  type Output,
  print,
  table,
  withDatabase,
} from './command.js';
import { listSettings } from './settings.js';

/** The settings that the answer depends on, or that an operator will want to compare it with. */
const GOES_BY = ['AUTH_STRATEGY', 'SESSION_IDLE_TTL'];

/** `traffy strategy`: watching a change of strategy. */
export function addStrategyCommand(program: Command, { config }: CommandContext): void {
  program
    .command('strategy')
    .description('watch a change of AUTH_STRATEGY')
    .command('status')
    .description('show what each node runs, which credentials are alive, and what can be dropped when')
    .addOption(jsonOption())
    .action((options: Output) => status(config(), options));
}

/** @throws CommandProblem when nodes do not fit each other, or differ where they must not. */
async function status(config: Config, options: Output): Promise<void> {
  const found = await withDatabase(config, async (database) =>
    strategyStatus(
      await new Nodes(database).listLive(),
      await new LiveCredentials(database, config.auth).byKind(),
    ),
  );
  const settings = listSettings(config).filter(({ name }) => GOES_BY.includes(name));
  const goesBy = Object.fromEntries(settings.map(({ name, value }) => [name, value]));
  print(options, { configuration: goesBy, ...toJson(found) }, toText(found, goesBy));
  const problems = [
    ...(found.isFitting
      ? []
      : ['nodes run values of AUTH_STRATEGY that do not fit: some refuse what others issue']),
    ...found.differences.map(
      ({ setting }) => `nodes differ in ${setting}: some refuse the tokens that others sign`,
    ),
  ];
  if (problems.length > 0) throw new CommandProblem(problems.join('; '));
}

function toJson(status: StrategyStatus): object {
  const { nodes, kinds, values, isFitting, nextSteps, waysOut, differences } = status;
  return {
    nodes: nodes.map(({ strategy, publicUrl, startedAt, seenAt, ...node }) => ({
      ...node,
      strategy: textOf(strategy),
      public_url: publicUrl,
      started_at: startedAt,
      seen_at: seenAt,
    })),
    credentials: kinds.map((kind) => ({
      kind: kind.kind,
      sessions: kind.sessions,
      last_used_at: kind.lastUsedAt,
      issued_by: kind.issuedBy.map(({ id }) => id),
      accepted: kind.isAccepted,
      safe_to_drop: kind.isSafeToDrop,
      reasons: kind.reasons,
      safe_if_unused_at: kind.safeIfUnusedAt,
      safe_at: kind.safeAt,
    })),
    values,
    nodes_fit: isFitting,
    next_steps: nextSteps.map(({ strategy, sessionsLost }) => ({ strategy, sessions_lost: sessionsLost })),
    ways_out: waysOut.map(({ stop, mayStart }) => ({ stop, may_start: mayStart })),
    differing_settings: differences.map(({ setting }) => setting),
  };
}

function toText(status: StrategyStatus, goesBy: Record<string, string>): string {
  const { nodes, kinds, differences } = status;
  const nodeRows = nodes.map((node) => [
    textOf(node.strategy),
    describeNode(node),
    node.version,
    time(node.startedAt),
    time(node.seenAt),
  ]);
  const kindRows = kinds.map((kind) => [
    kind.kind,
    String(kind.sessions),
    kind.lastUsedAt ? time(kind.lastUsedAt) : 'never',
    verdict(kind, nodes.length > 0),
  ]);
  return [
    nodes.length === 0
      ? 'No node serves.'
      : table(['AUTH_STRATEGY', 'node', 'version', 'since', 'last seen'], nodeRows),
    table(['credential', 'live sessions', 'last used', 'safe to stop accepting it?'], kindRows),
    whatNext(status),
    ...differences.map(({ setting, valueOf }) => difference(setting, nodes, valueOf)),
    `Seen from here with ${Object.entries(goesBy)
      .map(([name, value]) => `${name}=${value}`)
      .join(' and ')}; all times are UTC.`,
  ].join('\n\n');
}

function whatNext({ values, isFitting, nextSteps, waysOut }: StrategyStatus): string {
  if (!isFitting) {
    const ways = waysOut.map(
      ({ stop, mayStart }) =>
        `  Stop those that run ${stop.join(' and ')}; then a node may start with ${mayStart.join(' or ')}.`,
    );
    return ['Nodes do not fit: some refuse what others issue. Ways out:', ...ways].join('\n');
  }
  const steps = nextSteps.map(({ strategy, sessionsLost }) => `${strategy}${loss(sessionsLost)}`);
  const underWay = values.length > 1 ? 'Nodes differ: a step is under way. ' : '';
  return `${underWay}A node may start with: ${steps.join(' or ')}.`;
}

function loss(signIns: number): string {
  if (signIns === 0) return '';
  return ` (ends ${signIns} ${signIns === 1 ? 'sign-in' : 'sign-ins'})`;
}

function difference(
  setting: string,
  nodes: readonly LiveNode[],
  valueOf: (node: LiveNode) => string,
): string {
  return [
    `Nodes differ in ${setting}: some refuse the tokens that others sign. Set the same on all:`,
    ...nodes.map((node) => `  ${describeNode(node)} has ${valueOf(node)}`),
  ].join('\n');
}

/** @param isServed without a node, nothing is accepted or refused: what can be told is who holds one. */
function verdict(kind: KindStatus, isServed: boolean): string {
  const { isSafeToDrop, reasons, issuedBy, safeAt, safeIfUnusedAt } = kind;
  const isRefused = isServed && !kind.isAccepted;
  if (isSafeToDrop) return isRefused ? 'not accepted' : 'yes';
  const why = `${isRefused ? 'not accepted' : 'no'}: ${reasons.join(', ')}`;
  if (issuedBy.length > 0 || !safeAt || !safeIfUnusedAt) return `${why}; never while a node issues it`;
  return `${why}; from ${time(safeAt)} at the latest, from ${time(safeIfUnusedAt)} if they are not used again`;
}

/** To the second. */
function time(date: Date): string {
  return date.toISOString().slice(0, 19).replace('T', ' ');
}
