import { STRATEGY_NAMES } from '../../config/auth.config.js';
import type { KindInUse } from './live-credentials.service.js';
import { describeNode, type LiveNode } from './serving-node.js';
import { differencesAmong, type SharedSetting } from './shared-settings.js';
import { fits, stepsBeside, type StrategyValue, textOf } from './strategy-steps.js';

/** A kind of credential: how many are live, and whether it can be dropped. */
export interface KindStatus {
  readonly kind: string;
  /** Number of live sessions with such a credential. */
  readonly sessions: number;
  /** When one of them was last used, to within a minute; null if there are none. */
  readonly lastUsedAt: Date | null;
  /** The nodes that issue it. */
  readonly issuedBy: readonly LiveNode[];
  /** Whether a node accepts it. */
  readonly isAccepted: boolean;
  readonly isSafeToDrop: boolean;
  /** Reasons against dropping it; empty if there are none. */
  readonly reasons: readonly string[];
  /**
   * When the last of these sessions ends if none is used again; null if there are none, or while a node issues the
   * kind.
   */
  readonly safeIfUnusedAt: Date | null;
  /** When the last of them ends at the latest; null in the same cases. */
  readonly safeAt: Date | null;
}

/** A value that a node may start with now. */
interface NextStep {
  readonly strategy: string;
  /** Number of sessions whose credential it does not accept: their users would have to sign in again. */
  readonly sessionsLost: number;
}

/** What brings nodes that do not fit back together. */
interface WayOut {
  /** Stop the nodes that run these values. */
  readonly stop: readonly string[];
  /** The values with which a node can start then. */
  readonly mayStart: readonly string[];
}

/** The progress of a change of strategy. */
export interface StrategyStatus {
  readonly nodes: readonly LiveNode[];
  readonly kinds: readonly KindStatus[];
  /** The running values. */
  readonly values: readonly string[];
  /** Whether each node accepts what every other one issues. */
  readonly isFitting: boolean;
  /** Empty if running nodes are incompatible, except for values that are compatible with all. */
  readonly nextSteps: readonly NextStep[];
  /** Empty if all nodes are compatible. */
  readonly waysOut: readonly WayOut[];
  /** Shared settings that differ. */
  readonly differences: readonly SharedSetting[];
}

/** Combines the running nodes and the live credentials. */
export function strategyStatus(nodes: readonly LiveNode[], inUse: readonly KindInUse[]): StrategyStatus {
  const kinds = new Set<string>([
    ...STRATEGY_NAMES,
    ...nodes.flatMap(({ strategy }) => strategy),
    ...inUse.map(({ kind }) => kind),
  ]);
  const running = nodes.map(({ strategy }) => strategy);
  const isFitting = running.every((one) => running.every((other) => fits(one, other)));
  const lost = (accepted: readonly string[]) =>
    inUse.reduce((sum, { kind, sessions }) => sum + (accepted.includes(kind) ? 0 : sessions), 0);
  return {
    nodes,
    kinds: [...kinds].map((kind) => kindStatus(kind, nodes, inUse)),
    values: [...new Set(running.map(textOf))],
    isFitting,
    nextSteps: stepsBeside(running, [...kinds]).map((value) => ({
      strategy: textOf(value),
      sessionsLost: lost(value),
    })),
    waysOut: isFitting ? [] : waysOut(running, [...kinds]),
    differences: differencesAmong(nodes),
  };
}

/** One per running value: stop the nodes that are incompatible with it. */
function waysOut(running: readonly StrategyValue[], kinds: readonly string[]): WayOut[] {
  const ways = running.map((value): WayOut => {
    const kept = running.reduce<StrategyValue[]>(
      (kept, other) => (kept.every((one) => fits(one, other)) ? [...kept, other] : kept),
      [value],
    );
    const stopped = running.filter((other) => !kept.includes(other));
    return {
      stop: [...new Set(stopped.map(textOf))],
      mayStart: stepsBeside(kept, kinds).map(textOf),
    };
  });
  return [...new Map(ways.map((way) => [way.stop.join(' '), way])).values()];
}

function kindStatus(kind: string, nodes: readonly LiveNode[], inUse: readonly KindInUse[]): KindStatus {
  const alive = inUse.find((found) => found.kind === kind);
  const issuedBy = nodes.filter(({ strategy }) => strategy[0] === kind);
  const reasons = [
    ...issuedBy.map((node) => `${describeNode(node)} issues it`),
    ...(alive
      ? [`${alive.sessions} live ${alive.sessions === 1 ? 'session holds' : 'sessions hold'} one`]
      : []),
  ];
  const isDated = alive !== undefined && issuedBy.length === 0;
  return {
    kind,
    sessions: alive?.sessions ?? 0,
    lastUsedAt: alive?.lastUsedAt ?? null,
    issuedBy,
    isAccepted: nodes.some(({ strategy }) => strategy.includes(kind)),
    isSafeToDrop: reasons.length === 0,
    reasons,
    safeIfUnusedAt: isDated ? alive.goneIfUnusedAt : null,
    safeAt: isDated ? alive.goneAt : null,
  };
}
