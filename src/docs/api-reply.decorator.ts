import { applyDecorators } from '@nestjs/common';
import { ApiResponse } from '@nestjs/swagger';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { type ProblemCode, problemEntry } from '../problems/problem.catalogue.js';
import { Problem } from '../problems/problem.js';

/** The id that the examples bear. */
const EXAMPLE_REQUEST_ID = '019a0000-0000-7000-8000-000000000001';

/** Documents a success: its status and the schema of its body. */
export function ApiReply(status: number, schema: StandardSchemaV1, description: string): MethodDecorator {
  return ApiResponse({ status, standardSchema: schema, description });
}

/** Codes that any route may answer. */
const EVERYWHERE = ['not_acceptable', 'rate_limited', 'internal_error', 'service_unavailable'] as const;

/** Documents the errors of a route, one response a status with an example for each code. */
export function ApiProblems(...codes: ProblemCode[]): MethodDecorator {
  const byStatus = new Map<number, ProblemCode[]>();
  for (const code of [...codes, ...EVERYWHERE]) {
    const { status } = problemEntry(code);
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return applyDecorators(
    ...[...byStatus].map(([status, group]) =>
      ApiResponse({
        status,
        description: group.map((code) => `\`${code}\`: ${problemEntry(code).meaning}`).join('\n\n'),
        content: {
          'application/problem+json': {
            schema: { $ref: '#/components/schemas/Problem' },
            examples: Object.fromEntries(
              group.map((code) => [code, { value: new Problem(code).body(EXAMPLE_REQUEST_ID) }]),
            ),
          },
        },
      } as never),
    ),
  );
}
