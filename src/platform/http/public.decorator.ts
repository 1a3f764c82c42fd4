import { SetMetadata } from '@nestjs/common';

/**
 * Which credential a route needs: `required` (the default) a live one, `optional` reads it if sent, `none` ignores
 * it.
 */
export type Access = 'required' | 'optional' | 'none';

export const ACCESS = 'traffy:access';

/**
 * Opens a route to callers without a credential. Every route without this decorator requires one.
 *
 * @param credentials `read` provides the credentials of the request through `@Presented()`; `ignore` does not read
 * them.
 */
export function Public(credentials: 'read' | 'ignore' = 'ignore'): MethodDecorator & ClassDecorator {
  return SetMetadata(ACCESS, (credentials === 'read' ? 'optional' : 'none') satisfies Access);
}
