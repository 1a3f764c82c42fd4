import type { Command } from 'commander';
import type { Config } from '../../config/load.config.js';
import { LiveCredentials } from '../cluster/live-credentials.service.js';
import { NodeRegistry } from '../cluster/node-registry.service.js';
import { describeNode, type LiveNode } from '../cluster/serving-node.js';
import { type KindStatus, strategyStatus, type StrategyStatus } from '../cluster/strategy-status.js';
import { textOf } from '../cluster/strategy-steps.js';
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

/** The settings that the result depends on, or that an operator compares it with. */
const GOES_BY = ['AUTH_STRATEGY', 'SESSION_IDLE_TTL'];

/** `traffy strategy`: progress of a change of AUTH_STRATEGY. */
export function addStrategyCommand(program: Command, { config }: CommandContext): void {
  program
    .command('strategy')
    .description('follow a change of AUTH_STRATEGY')
    .command('status')
    .description('show the strategy of each node, the live credentials, and when each kind can be dropped')
    .addOption(jsonOption())
    .action((options: Output) => status(config(), options));
}

/** @throws CommandProblem if nodes are incompatible, or differ in a setting that must be equal. */
async function status(config: Config, options: Output): Promise<void> {
  const found = await withDatabase(config, async (database) =>
    strategyStatus(
      await new NodeRegistry(database).listLive(),
      await new LiveCredentials(database, config.auth).byKind(),
    ),
  );
  const settings = listSettings(config).filter(({ name }) => GOES_BY.includes(name));
  const goesBy = Object.fromEntries(settings.map(({ name, value }) => [name, value]));
  print(options, { configuration: goesBy, ...toJson(found) }, toText(found, goesBy));
  const problems = [
    ...(found.isFitting
      ? []
      : ['nodes run incompatible values of AUTH_STRATEGY: some refuse what others issue']),
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
      ? 'No node is running.'
      : table(['AUTH_STRATEGY', 'node', 'version', 'since', 'last seen'], nodeRows),
    table(['credential', 'live sessions', 'last used', 'safe to stop accepting it?'], kindRows),
    whatNext(status),
    ...differences.map(({ setting, valueOf }) => difference(setting, nodes, valueOf)),
    `Computed with ${Object.entries(goesBy)
      .map(([name, value]) => `${name}=${value}`)
      .join(' and ')}; all times are UTC.`,
  ].join('\n\n');
}

function whatNext({ values, isFitting, nextSteps, waysOut }: StrategyStatus): string {
  if (!isFitting) {
    const ways = waysOut.map(
      ({ stop, mayStart }) =>
        `  Stop the nodes that run ${stop.join(' and ')}; then a node can start with ${mayStart.join(' or ')}.`,
    );
    return ['Nodes are incompatible: some refuse what others issue. To fix it:', ...ways].join('\n');
  }
  const steps = nextSteps.map(({ strategy, sessionsLost }) => `${strategy}${loss(sessionsLost)}`);
  const underWay = values.length > 1 ? 'Nodes differ: a change is in progress. ' : '';
  return `${underWay}A node can start with: ${steps.join(' or ')}.`;
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
    `Nodes differ in ${setting}: some refuse the tokens that others sign. Set the same value on all nodes:`,
    ...nodes.map((node) => `  ${describeNode(node)} has ${valueOf(node)}`),
  ].join('\n');
}

/** @param isServed false without a node: then no kind is accepted or refused, and only its holders are reported. */
function verdict(kind: KindStatus, isServed: boolean): string {
  const { isSafeToDrop, reasons, issuedBy, safeAt, safeIfUnusedAt } = kind;
  const isRefused = isServed && !kind.isAccepted;
  if (isSafeToDrop) return isRefused ? 'not accepted' : 'yes';
  const why = `${isRefused ? 'not accepted' : 'no'}: ${reasons.join(', ')}`;
  if (issuedBy.length > 0 || !safeAt || !safeIfUnusedAt) return `${why}; not while a node issues it`;
  return `${why}; from ${time(safeAt)} at the latest, from ${time(safeIfUnusedAt)} if they are not used again`;
}

/** UTC, with a precision of one second. */
function time(date: Date): string {
  return date.toISOString().slice(0, 19).replace('T', ' ');
}
