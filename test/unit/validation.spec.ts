import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { validationProblem } from '../../src/platform/problems/validation.js';

const schema = z.strictObject({
  text: z.string().min(2).max(3),
  list: z.array(z.int()).max(1),
  kind: z.enum(['a', 'b']),
  flag: z.boolean(),
  id: z.uuid(),
  at: z.iso.datetime(),
  count: z.number().min(1).max(9),
  either: z.union([z.literal(1), z.literal(2)]),
  own: z
    .string()
    .refine((value) => value !== 'x', { error: 'must not be x' })
    .refine((value) => value.length > 1, { error: 'must be longer' }),
});

function errorsOf(value: unknown): { path: string; message: string }[] {
  const { error } = schema.safeParse(value);
  return validationProblem(error?.issues ?? []).body('')['errors'] as never;
}

describe('a refused value', () => {
  it('has all problems of all fields', () => {
    const problem = validationProblem(
      schema.safeParse({
        text: 'long one',
        list: [1, 2],
        kind: 'c',
        flag: 'yes',
        id: 'x',
        at: 'noon',
        count: 0,
        either: 3,
        own: 'x',
        other: 1,
      }).error?.issues ?? [],
    );
    const { errors, detail } = problem.body('') as {
      errors: { path: string; message: string }[];
      detail: string;
    };
    expect(errors.map(({ path, message }) => `${path}: ${message}`)).toEqual([
      'text: must have 3 characters at most',
      'list: must have 1 entries at most',
      'kind: must be a or b',
      'flag: must be true or false',
      'id: must be a UUID',
      'at: must be a time such as 2026-11-22T12:00:00Z',
      'count: must be 1 at least',
      'either: has a form that is not allowed',
      'own: must not be x',
      'own: must be longer',
      'other: is not a known field',
    ]);
    for (const { path, message } of errors) expect(detail).toContain(`${path}: ${message}`);
  });

  it('has no message of the library, whatever its type', () => {
    for (const value of [undefined, null, 1, 'x', [], {}, { text: null, list: {}, own: 7 }]) {
      const errors = errorsOf(value);
      expect(errors.length).toBeGreaterThan(0);
      for (const { message } of errors) expect(message).toMatch(/^(must (be|have) |is missing$|has a form)/);
    }
    expect(new Set(errorsOf({}).map(({ message }) => message))).toEqual(new Set(['is missing']));
    expect(errorsOf({ list: ['x'] })[1]).toEqual({ path: 'list.0', message: 'must be a number' });
  });
});
