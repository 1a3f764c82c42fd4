import { SetMetadata } from '@nestjs/common';

/** Who may call a route: `required` a live credential (the default), `optional` it is read if sent, `none` it is not read. */
export type Access = 'required' | 'optional' | 'none';

export const ACCESS = 'traffy:access';

/**
 * Opens a route to callers without a credential. Every route without this decorator is closed.
 *
 * @param credentials `read` makes what the caller sent available through `@Presented()`; `ignore` does not look.
 */
export function Public(credentials: 'read' | 'ignore' = 'ignore'): MethodDecorator & ClassDecorator {
  return SetMetadata(ACCESS, (credentials === 'read' ? 'optional' : 'none') satisfies Access);
}
