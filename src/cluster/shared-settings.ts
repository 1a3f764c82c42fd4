import type { ServingNode } from './serving-node.js';

/** A setting that must be equal on all nodes: one would refuse what another signs. */
export interface SharedSetting {
  /** The name of the environment variable. */
  readonly setting: 'PUBLIC_URL' | 'AUTH_AUDIENCE';
  readonly valueOf: (node: ServingNode) => string;
}

const SHARED: readonly SharedSetting[] = [
  { setting: 'PUBLIC_URL', valueOf: ({ publicUrl }) => publicUrl },
  { setting: 'AUTH_AUDIENCE', valueOf: ({ audience }) => audience },
];

/** Returns the shared settings in which these nodes differ. */
export function differencesAmong(nodes: readonly ServingNode[]): SharedSetting[] {
  return SHARED.filter(({ valueOf }) => new Set(nodes.map(valueOf)).size > 1);
}
