import type { StandardSchemaV1 } from '@standard-schema/spec';
import { Problem } from './problem.js';

const ISSUES_MAX = 20;

/** The 400 that names each field that is wrong. */
export function validationProblem(issues: readonly StandardSchemaV1.Issue[]): Problem {
  const errors = issues
    .slice(0, ISSUES_MAX)
    .map((issue) => ({ path: pathOf(issue), message: issue.message }));
  const [first] = errors;
  return new Problem('validation_failed', {
    detail: first ? `${first.path || 'body'}: ${first.message}` : 'The request is not valid.',
    members: { errors },
  });
}

/**
 * Checks a value against a schema.
 *
 * @throws Problem `validation_failed`
 */
export async function validate<T>(schema: StandardSchemaV1<unknown, T>, value: unknown): Promise<T> {
  const result = await schema['~standard'].validate(value);
  if (result.issues) throw validationProblem(result.issues);
  return result.value;
}

/** JSON path with dots; an unknown field is named itself, not its parent. */
function pathOf(issue: StandardSchemaV1.Issue): string {
  const path = (issue.path ?? []).map((part) => String(typeof part === 'object' ? part.key : part));
  const unknownKeys = 'keys' in issue && Array.isArray(issue.keys) ? issue.keys.slice(0, 1) : [];
  return [...path, ...unknownKeys].join('.').slice(0, 200);
}
