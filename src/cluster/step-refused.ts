import { STRATEGY_NAMES } from '../../config/auth.config.js';
import { describeNode, type ServingNode } from './serving-node.js';
import { fits, stepsBeside, type StrategyValue, textOf, walk } from './strategy-steps.js';

/** The node would take a step that other nodes are not ready for. The message is for a terminal. */
export class StepRefused extends Error {
  constructor(wanted: StrategyValue, running: readonly ServingNode[]) {
    super(explain(wanted, running));
    this.name = 'StepRefused';
  }
}

function explain(wanted: StrategyValue, running: readonly ServingNode[]): string {
  const incompatible = running.filter(({ strategy }) => !fits(wanted, strategy));
  const from = incompatible[0]?.strategy ?? wanted;
  const kinds = [...new Set([...STRATEGY_NAMES, ...wanted, ...running.flatMap(({ strategy }) => strategy)])];
  const allowed = stepsBeside(
    running.map(({ strategy }) => strategy),
    kinds,
  );
  return [
    `AUTH_STRATEGY=${textOf(wanted)} is incompatible with other nodes: clients would be refused.`,
    ...running.map((node) => `  ${describeNode(node)} runs ${textOf(node.strategy)}${whyNot(wanted, node)}`),
    `  Steps: ${walk(from, wanted).map(textOf).join(' → ')}, one step at a time, each on all nodes before the next.`,
    `  Values that can start beside these nodes: ${allowed.map(textOf).join(' or ') || 'none; stop the nodes that are incompatible'}.`,
    '  A killed node stops counting within 30 s. To start anyway:',
    '  npm start -- --force (in a clone), or traffy serve --force (where it is installed).',
  ].join('\n');
}

function whyNot(wanted: StrategyValue, { strategy }: ServingNode): string {
  const [mine = ''] = wanted;
  const [theirs = ''] = strategy;
  const reasons = [
    ...(strategy.includes(mine) ? [] : [`it does not accept ${mine}, which this one would issue`]),
    ...(wanted.includes(theirs) ? [] : [`it issues ${theirs}, which this one would not accept`]),
  ];
  return reasons.length > 0 ? `: ${reasons.join('; ')}` : '';
}
