import type { ContainmentRow } from '../../src/auth/containment/cells.js';

export type Scope = 'all' | 'others' | 'own' | 'none';

/** What ends, as a client can tell. */
export interface Ended {
  readonly sessions: Scope;
  readonly half_sign_ins: 'all' | 'none';
  readonly mailed_tokens: 'all' | 'reset_links' | 'verification_links' | 'none';
  readonly address_changes: Scope;
  readonly pending_exchanges: 'own' | 'none';
  readonly guess_counters: 'all' | 'password' | 'none';
}

export const NOTHING: Ended = {
  sessions: 'none',
  half_sign_ins: 'none',
  mailed_tokens: 'none',
  address_changes: 'none',
  pending_exchanges: 'none',
  guess_counters: 'none',
};

export const EVERYTHING: Ended = {
  sessions: 'all',
  half_sign_ins: 'all',
  mailed_tokens: 'all',
  address_changes: 'all',
  pending_exchanges: 'none',
  guess_counters: 'all',
};

/** `docs/containment.md`, from the rows of the table. */
export function containmentDocument(rows: readonly [string, ContainmentRow][]): string {
  const things = Object.keys(rows[0]?.[1].ends ?? {}) as (keyof ContainmentRow['ends'])[];
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const shown = (value: string) => (value === 'none' ? '' : `**${value}**`);
  const table = rows.map(([cause, { ends }]) =>
    line([`[${cause}](#${cause})`, ...things.map((thing) => shown(ends[thing][0]))]),
  );
  const sections = rows.map(
    ([cause, { when, reasons, ends }]) => `### ${cause}

${when}${
      reasons.length === 0
        ? ''
        : `

\`revoked_reason\`: ${reasons.map((reason) => `\`${reason}\``).join(', ')}.`
    }

${things.map((thing) => `- ${thing}: **${ends[thing][0]}**. ${ends[thing][1]}`).join('\n')}`,
  );
  return `# Containment

What ends when something happens to an account or a session. \`all\`: all of the account. \`own\`: of the session that
acts, or of those that are named. \`others\`: all of the account but those. An empty cell: nothing ends.
[ADR 0026](adr/0026-containment.md) has the decisions.

${line(['cause', ...things])}
${line(['---', ...things.map(() => '---')])}
${table.join('\n')}

## Times

- **Changes** end immediately, on every node: each call that changes something checks session, credential, account, role
  and step-up again, on the locked rows, in the transaction of the change. What a node remembers decides none.
- **Reads** end immediately on the node where it happened, and on the others within two seconds, whatever fails
  ([ADR 0012](adr/0012-revocation-across-nodes.md)).

## Reasons

${sections.join('\n\n')}

This page is generated from \`src/auth/containment/\` and checked by the tests:
\`UPDATE_DOCS=1 npm test -- test/containment.spec.ts\` writes it.
`;
}
