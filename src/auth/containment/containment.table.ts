import type { RevocationReason } from '../sessions/session-revocation.js';
import { ACCOUNT_CAUSES } from './account-causes.table.js';
import type { ContainmentRow } from './cells.js';
import { PROOF_CAUSES } from './proof-causes.table.js';
import { SESSION_CAUSES, SIGN_OUT_CAUSES } from './session-causes.table.js';

/** What ends on which event, defined only here. docs/containment.md is generated from it. */
export const CONTAINMENT = { ...PROOF_CAUSES, ...ACCOUNT_CAUSES, ...SIGN_OUT_CAUSES, ...SESSION_CAUSES };

/** An event that ends sessions, links or counters. */
export type Cause = keyof typeof CONTAINMENT;

/** A cause that concerns individually named sessions. */
export type SessionCause = keyof typeof SESSION_CAUSES;

/** A cause that concerns an account. */
export type AccountCause = Exclude<Cause, SessionCause | 'client_removed'>;

/** The reasons that a cause gives to sessions that it ends. */
export type ReasonOf<C extends Cause> = (typeof CONTAINMENT)[C]['reasons'][number];

/** The row of a cause. */
export function containmentOf(cause: Cause): ContainmentRow {
  return CONTAINMENT[cause];
}

/** Reasons of ended sessions whose requests for a new address stay valid. */
export const KEEPS_ADDRESS_CHANGES: readonly RevocationReason[] = Object.values<ContainmentRow>(
  CONTAINMENT,
).flatMap(({ reasons, ends }) => (ends.address_changes[0] === 'none' ? reasons : []));
