import { SetMetadata } from '@nestjs/common';

/** The role of an account. */
export type Role = 'user' | 'admin';

export const ROLE = 'traffy:role';
export const STEP_UP = 'traffy:step-up';

/** Restricts a route to accounts with this role. */
export function RequiresRole(role: Role): MethodDecorator & ClassDecorator {
  return SetMetadata(ROLE, role);
}

/** Restricts a route to sessions whose `auth_time` is at most STEP_UP_TTL ago. */
export function RequiresStepUp(): MethodDecorator & ClassDecorator {
  return SetMetadata(STEP_UP, true);
}
