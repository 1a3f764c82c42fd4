import type { StandardSchemaV1 } from '@standard-schema/spec';
import { inEnglish, type Text, textOf } from '../../texts/text.js';
import type { ProblemTexts } from '../../texts/en.js';
import './own-words.js';
import { Problem } from './problem.js';

const ISSUES_MAX = 20;
const PATH_MAX = 200;
const DETAIL_MAX = 1_000;

/** One problem of one field. */
interface FieldProblem<T extends Text = string> {
  /** The field in dot notation; empty for the value as a whole. */
  readonly path: string;
  readonly message: T;
}

/** The 400 that names every wrong field with all its problems. */
export function validationProblem(issues: readonly StandardSchemaV1.Issue[]): Problem {
  return fieldsProblem('validation_failed', textsOf(issues).slice(0, ISSUES_MAX));
}

/** A problem of fields: `errors` lists them, and the detail repeats them. */
export function fieldsProblem(
  code: 'validation_failed' | 'passkey_not_accepted',
  errors: readonly FieldProblem<Text>[],
): Problem {
  const detail = (texts: ProblemTexts) =>
    describe(
      errors.map(({ path, message }) => ({
        path,
        message: typeof message === 'string' ? message : message(texts),
      })),
    ) || texts.fields.invalid;
  return new Problem(code, { detail, members: { errors } });
}

/** Lists the problems of a value in English; an unknown field is named itself, not its parent. */
export function fieldProblems(issues: readonly StandardSchemaV1.Issue[]): FieldProblem[] {
  return textsOf(issues).map(({ path, message }) => ({ path, message: inEnglish(message) }));
}

/** The problems as one text. @param whole the name of the value as a whole. */
export function describeProblems(problems: readonly FieldProblem[], whole: string): string {
  return problems.map(({ path, message }) => `${path || whole}: ${message}`).join('; ');
}

function describe(problems: readonly FieldProblem[]): string {
  return describeProblems(problems, 'body').slice(0, DETAIL_MAX);
}

function textsOf(issues: readonly StandardSchemaV1.Issue[]): FieldProblem<Text>[] {
  return issues.flatMap((issue): FieldProblem<Text>[] => {
    const parent = (issue.path ?? []).map((part) => String(typeof part === 'object' ? part.key : part));
    if (!('keys' in issue) || !Array.isArray(issue.keys))
      return [{ path: toPath(parent), message: messageOf(issue) }];
    return issue.keys.map((key) => ({
      path: toPath([...parent, String(key)]),
      message: ({ fields }) => fields.unknown,
    }));
  });
}

/** The text of an issue: of its parameters, if its check gave one there, else of its English message. */
function messageOf(issue: StandardSchemaV1.Issue): Text {
  if ('params' in issue) {
    const { text } = issue.params as { text?: Text };
    if (text !== undefined) return text;
  }
  return textOf(issue.message);
}

/** Formats a JSON path with dots. */
function toPath(parts: readonly string[]): string {
  return parts.join('.').slice(0, PATH_MAX);
}
