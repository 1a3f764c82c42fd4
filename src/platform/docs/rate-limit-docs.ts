import type { HeaderObject, ResponseObject, ResponsesObject } from '@nestjs/swagger';
import type { DocumentedRoute } from './route-problems.js';

/** The fields of draft-ietf-httpapi-ratelimit-headers-10, as components. */
export const RATE_LIMIT_HEADERS: Readonly<Record<string, HeaderObject>> = {
  RateLimit: {
    description:
      'For each policy that counted the request: the remaining requests (`r`), and the seconds until the quota is ' +
      'full again (`t`). Absent where no limit is configured.',
    schema: { type: 'string' },
    example: '"default";r=599;t=60',
  },
  'RateLimit-Policy': {
    description:
      'For each policy that counted the request: the requests (`q`) in a window of seconds (`w`). Absent where no ' +
      'limit is configured.',
    schema: { type: 'string' },
    example: '"default";q=600;w=60',
  },
};

/** Adds the fields to the responses that have them: where successes do not count, to the others alone. */
export function addRateLimits(responses: ResponsesObject, counted: DocumentedRoute['counted']): void {
  if (counted === 'none') return;
  for (const [status, response] of Object.entries(responses)) {
    if (counted === 'unsuccessful' && Number(status) < 400) continue;
    const described = response as ResponseObject;
    for (const name of Object.keys(RATE_LIMIT_HEADERS))
      described.headers = { ...described.headers, [name]: { $ref: `#/components/headers/${name}` } };
  }
}
