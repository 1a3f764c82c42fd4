import { createParamDecorator, type ExecutionContext } from '@nestjs/common';

/** The caller of a route that requires a credential, as the auth guard found it. */
export interface CurrentUserInfo {
  readonly userId: string;
  readonly sessionId: string;
}

/** Hands a handler the caller. Only for routes that are not `@Public`. */
export const CurrentUser = createParamDecorator(
  (_data: unknown, context: ExecutionContext): CurrentUserInfo => {
    const { user } = context.switchToHttp().getRequest<{ user?: CurrentUserInfo }>();
    if (!user) throw new Error('CurrentUser stands on a public route');
    return user;
  },
);
