import { ISSUER_PATHS, type VectorDocument } from '../vectors/vector.document.js';
import type { RunReport } from '../vectors/vector.runner.js';
import { table } from './command.js';

/** The result of `traffy vectors run`. */
export interface ServiceReport extends RunReport {
  readonly url: string;
  /** Paths that only forged tokens name, and that the service fetched. */
  readonly fetched_from_tokens: readonly string[];
}

/** The report as text: failures with likely causes, vectors that do not count, and totals. */
export function describeRun(document: VectorDocument, report: ServiceReport): string {
  const { url, sent, wrong, fetched_from_tokens: fetched, not_counted: notCounted } = report;
  const rows = wrong.map(({ id, expected, got, answer, description, standard }) => [
    id,
    expected,
    got === 'no verdict' ? answer : got,
    description,
    standard,
  ]);
  const blocks = [
    rows.length > 0 ? [table(['WRONG', 'EXPECTED', 'GOT', 'WHAT IT IS', 'STANDARD'], rows)] : [],
    hints(document, report),
    fetched.map((path) => `It fetched ${path}, which only forged tokens name (RFC 8725 §3.10).`),
    `Not counted (verdict may), because correct verifiers differ: ${notCounted.map(({ id, got }) => `${id} ${got}`).join(', ')}.`,
    `${sent} tokens sent to ${url}: ${sent - wrong.length} right, ${wrong.length} wrong. ${notCounted.length} more are not counted.`,
  ];
  return blocks.flat().join('\n\n');
}

/** Likely causes outside the verifier itself. */
function hints({ issuer, audience }: VectorDocument, { wrong }: ServiceReport): string[] {
  const hint: string[] = [];
  if (wrong.some(({ id }) => id === 'plain')) {
    hint.push(
      `It does not accept the plain token. Does it expect the issuer ${issuer} and the audience ${audience}, and ` +
        `fetch the keys from ${issuer}${ISSUER_PATHS.jwks}? Does it still use the keys of an earlier run?`,
    );
  }
  if (wrong.some(({ answer }) => answer === 'status 429')) {
    hint.push('Its rate limit refused requests (429): raise it for this test.');
  }
  return hint;
}
