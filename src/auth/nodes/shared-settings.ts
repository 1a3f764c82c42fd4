import type { ServingNode } from './serving-node.js';

/** A setting that all nodes need alike: what one signs, another would refuse. */
export interface SharedSetting {
  /** As it is called in the environment. */
  readonly setting: 'PUBLIC_URL' | 'AUTH_AUDIENCE';
  readonly valueOf: (node: ServingNode) => string;
}

const SHARED: readonly SharedSetting[] = [
  { setting: 'PUBLIC_URL', valueOf: ({ publicUrl }) => publicUrl },
  { setting: 'AUTH_AUDIENCE', valueOf: ({ audience }) => audience },
];

/** The shared settings that these nodes do not have alike. */
export function differencesAmong(nodes: readonly ServingNode[]): SharedSetting[] {
  return SHARED.filter(({ valueOf }) => new Set(nodes.map(valueOf)).size > 1);
}
