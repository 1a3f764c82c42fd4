import type { StandardSchemaV1 } from '@standard-schema/spec';
import { Problem } from './problem.js';

const ISSUES_MAX = 20;
const PATH_MAX = 200;

/** The 400 that names each field that is wrong. */
export function validationProblem(issues: readonly StandardSchemaV1.Issue[]): Problem {
  const errors = issues.flatMap(toErrors).slice(0, ISSUES_MAX);
  const [first] = errors;
  return new Problem('validation_failed', {
    detail: first ? `${first.path || 'body'}: ${first.message}` : 'The request is not valid.',
    members: { errors },
  });
}

/** What is wrong with which field; unknown fields are named themselves, not their parent. */
function toErrors(issue: StandardSchemaV1.Issue): { path: string; message: string }[] {
  const parent = (issue.path ?? []).map((part) => String(typeof part === 'object' ? part.key : part));
  if (!('keys' in issue) || !Array.isArray(issue.keys))
    return [{ path: toPath(parent), message: issue.message }];
  return issue.keys.map((key) => ({
    path: toPath([...parent, String(key)]),
    message: 'is not a known field',
  }));
}

/** A JSON path with dots. */
function toPath(parts: readonly string[]): string {
  return parts.join('.').slice(0, PATH_MAX);
}
