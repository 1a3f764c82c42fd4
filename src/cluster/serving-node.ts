import type { StrategyValue } from './strategy-steps.js';

/** A process that serves. */
export interface ServingNode {
  readonly id: string;
  /** Its AUTH_STRATEGY. */
  readonly strategy: StrategyValue;
  readonly publicUrl: string;
  readonly audience: string;
  readonly host: string;
  /** Its PORT; null if it is any free one. */
  readonly port: number | null;
  readonly pid: number;
  readonly version: string;
}

/** A node that was seen a moment ago. */
export interface LiveNode extends ServingNode {
  readonly startedAt: Date;
  readonly seenAt: Date;
}

/** Describes a node for an operator. */
export function describeNode({ host, port, pid }: ServingNode): string {
  return `${port === null ? host : `${host}:${port}`} (pid ${pid})`;
}
