import { createParamDecorator, type ExecutionContext } from '@nestjs/common';

/** The caller of a route that requires a credential, as determined by the auth guard. */
export interface CurrentUserInfo {
  readonly userId: string;
  readonly sessionId: string;
}

/** Injects the caller into a handler. Only for routes that are not `@Public`. */
export const CurrentUser = createParamDecorator(
  (_data: unknown, context: ExecutionContext): CurrentUserInfo => {
    const { user } = context.switchToHttp().getRequest<{ user?: CurrentUserInfo }>();
    if (!user) throw new Error('CurrentUser is used on a public route');
    return user;
  },
);
