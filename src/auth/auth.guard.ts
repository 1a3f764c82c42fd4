import { type CanActivate, createParamDecorator, type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyRequest } from 'fastify';
import { ROLE, type Role, STEP_UP } from '../http/access.decorators.js';
import type { CurrentUserInfo } from '../http/current-user.decorator.js';
import { noteDeadCredential } from '../http/dead-credentials.js';
import { ACCESS, type Access } from '../http/public.decorator.js';
import { Problem } from '../problems/problem.js';
import type { ProblemCode } from '../problems/problem.catalogue.js';
import { ExchangeCompletion } from './exchange/exchange-completion.service.js';
import { SessionActivity } from './sessions/session-activity.service.js';
import { Freshness } from './step-up/freshness.service.js';
import type { DeadCredential } from './strategies/auth.strategy.js';
import { type Authentication, Authenticator } from './strategies/authenticator.js';

type AuthenticatedRequest = FastifyRequest & { user?: CurrentUserInfo; authentication?: Authentication };

const CODES = {
  invalid: 'credential_invalid',
  expired: 'credential_expired',
  revoked: 'credential_revoked',
} as const satisfies Record<DeadCredential['reason'], ProblemCode>;

/** What the decorators of a route ask of its callers. */
interface Demands {
  readonly of: unknown;
  readonly access: Access | undefined;
  readonly role: Role | undefined;
  readonly stepUp: true | undefined;
}

/** Closes every route that is not `@Public` to callers without a live credential. */
@Injectable()
export class AuthGuard implements CanActivate {
  /** By handler; decorators do not change while it runs. */
  private readonly demands = new Map<unknown, Demands>();

  constructor(
    private readonly reflector: Reflector,
    private readonly authenticator: Authenticator,
    private readonly activity: SessionActivity,
    private readonly exchanges: ExchangeCompletion,
    private readonly freshness: Freshness,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const { access, role, stepUp } = this.demandsOf(context);
    if (access === 'none') return true;
    const request = context.switchToHttp().getRequest<AuthenticatedRequest>();
    const { authorization, cookie } = request.headers;
    const authentication = await this.authenticator.read({ authorization, cookie });
    request.authentication = authentication;
    if (authentication.dead) noteDeadCredential(request);
    if (authentication.live) this.activity.note(authentication.live.sessionId);
    this.exchanges.note(authentication.verdicts);
    if (access === 'optional') return true;
    const live = requireLive(authentication);
    if (role === 'admin' && live.role !== 'admin') throw new Problem('forbidden');
    if (stepUp && !(await this.freshness.isFresh(live))) throw new Problem('step_up_required');
    request.user = { userId: live.userId, sessionId: live.sessionId };
    return true;
  }

  private demandsOf(context: ExecutionContext): Demands {
    const handler = context.getHandler();
    const controller = context.getClass();
    const known = this.demands.get(handler);
    if (known?.of === controller) return known;
    const marked = <T>(key: string) =>
      this.reflector.getAllAndOverride<T | undefined>(key, [handler, controller]);
    const demands: Demands = {
      of: controller,
      access: marked<Access>(ACCESS),
      role: marked<Role>(ROLE),
      stepUp: marked<true>(STEP_UP),
    };
    this.demands.set(handler, demands);
    return demands;
  }
}

/** Hands a handler what the request's credentials said. Only for routes that do not ignore them. */
export const Presented = createParamDecorator((_data: unknown, context: ExecutionContext): Authentication => {
  const { authentication } = context.switchToHttp().getRequest<AuthenticatedRequest>();
  if (!authentication) throw new Error('Presented stands on a route that ignores credentials');
  return authentication;
});

/**
 * The session that a request acts for.
 *
 * @throws Problem 401 with why there is none, or 400 when credentials of different people came together.
 */
export function requireLive(authentication: Authentication): NonNullable<Authentication['live']> {
  const { live, dead, hasConflict } = authentication;
  if (hasConflict) throw new Problem('conflicting_credentials');
  if (live) return live;
  if (!dead) throw new Problem('authentication_required');
  throw deadCredential(dead);
}

/** The 401 for a credential that opens nothing. */
export function deadCredential({ reason, action }: DeadCredential): Problem {
  return new Problem(CODES[reason], { action });
}
