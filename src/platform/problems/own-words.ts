import { z } from 'zod';
import type { ProblemTexts } from '../../texts/en.js';
import { inEnglish, say, type Text } from '../../texts/text.js';

type Issue = z.core.$ZodRawIssue;

/**
 * The message of an issue for which its schema has none: ours, in the words of all other messages. Importing this
 * module replaces the messages of the library for all schemas of the process.
 */
function inOwnWords(issue: Issue): string {
  const text = wordsOf(issue);
  // Clients choose the names of unknown fields: too many to remember.
  return issue.code === 'unrecognized_keys' ? inEnglish(text) : say(text);
}

function wordsOf(issue: Issue): Text {
  if (issue.input === undefined) return ({ fields }) => fields.missing;
  switch (issue.code) {
    case 'invalid_type':
      return ({ fields }) => fields.mustBe(named(fields.types, issue.expected));
    case 'invalid_value':
      return ({ fields }) => fields.mustBe(issue.values.map(String).join(fields.or));
    case 'invalid_format':
      return ({ fields }) => fields.mustBe(named(fields.formats, issue.format));
    case 'too_big':
      return ({ fields }) => sizeOf(fields.atMost, issue.origin)(String(issue.maximum));
    case 'too_small':
      return ({ fields }) => sizeOf(fields.atLeast, issue.origin)(String(issue.minimum));
    case 'unrecognized_keys':
      return ({ fields }) => fields.unknownOnes(issue.keys.join(', '));
    default:
      return ({ fields }) => fields.otherForm;
  }
}

function named(names: Readonly<Record<string, string>> & { readonly other: string }, key: unknown): string {
  const name = String(key);
  return (Object.hasOwn(names, name) ? names[name] : undefined) ?? names.other;
}

function sizeOf(sizes: ProblemTexts['fields']['atMost'], origin: string): (bound: string) => string {
  if (origin === 'string') return sizes.characters;
  return origin === 'array' ? sizes.entries : sizes.value;
}

z.config({ customError: inOwnWords });
