import { SetMetadata } from '@nestjs/common';

/** What an account may do beyond its own affairs. */
export type Role = 'user' | 'admin';

export const ROLE = 'traffy:role';
export const STEP_UP = 'traffy:step-up';

/** Opens a route only to accounts of this role. */
export function RequiresRole(role: Role): MethodDecorator & ClassDecorator {
  return SetMetadata(ROLE, role);
}

/** Opens a route only for STEP_UP_TTL after the caller last proved who they are (`auth_time`). */
export function RequiresStepUp(): MethodDecorator & ClassDecorator {
  return SetMetadata(STEP_UP, true);
}
