import { type CanActivate, createParamDecorator, type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyRequest } from 'fastify';
import { ROLE, type Role, STEP_UP } from '../../platform/http/access.decorators.js';
import type { CurrentUserInfo } from '../../platform/http/current-user.decorator.js';
import { ACCESS, type Access } from '../../platform/http/public.decorator.js';
import { RouteMetadata } from '../../platform/http/route-metadata.js';
import { noteRefusal } from '../../platform/http/refusal.js';
import { noteWrongGuess } from '../../platform/http/wrong-guess.js';
import { Problem } from '../../platform/problems/problem.js';
import type { ProblemCode } from '../../platform/problems/problem.catalogue.js';
import { ExchangeCompletion } from './exchange/exchange-completion.service.js';
import { SessionActivity } from '../sessions/session-activity.service.js';
import type { EndedActor } from './actor-lock.service.js';
import type { DeadCredential } from './auth.strategy.js';
import {
  type Authentication,
  Authenticator,
  failedChecks,
  type LiveAuthentication,
  type RouteRequirements,
} from './authenticator.js';

type AuthenticatedRequest = FastifyRequest & { user?: CurrentUserInfo; authentication?: Authentication };

const CODES = {
  invalid: 'credential_invalid',
  expired: 'credential_expired',
  revoked: 'credential_revoked',
} as const satisfies Record<DeadCredential['reason'], ProblemCode>;

/** What a route requires of its callers. */
interface Requirements {
  readonly access: Access | undefined;
  readonly ofSession: RouteRequirements;
}

/** Refuses callers without a live credential, on every route that is not `@Public`. */
@Injectable()
export class AuthGuard implements CanActivate {
  private readonly requirements: RouteMetadata<Requirements>;

  constructor(
    reflector: Reflector,
    private readonly authenticator: Authenticator,
    private readonly activity: SessionActivity,
    private readonly exchanges: ExchangeCompletion,
  ) {
    this.requirements = new RouteMetadata(reflector, (read) => ({
      access: read<Access>(ACCESS),
      ofSession: { role: read<Role>(ROLE) ?? null, needsStepUp: read<true>(STEP_UP) === true },
    }));
  }

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const { access, ofSession } = this.requirements.of(context);
    if (access === 'none') return true;
    const request = context.switchToHttp().getRequest<AuthenticatedRequest>();
    const { authorization, cookie } = request.headers;
    const authentication = await this.authenticator.read({ authorization, cookie }, ofSession);
    request.authentication = authentication;
    if (authentication.hasWrongGuess) noteWrongGuess(request);
    const check = authentication.dead && failedChecks(authentication.verdicts);
    if (check) noteRefusal(request, { check });
    if (authentication.live) this.activity.note(authentication.live.sessionId);
    this.exchanges.note(authentication.verdicts);
    if (access === 'optional') return true;
    const live = requireLive(authentication);
    if (ofSession.role !== null && live.role !== ofSession.role) {
      noteRefusal(request, { check: 'role' });
      throw new Problem('forbidden');
    }
    request.user = { userId: live.userId, sessionId: live.sessionId };
    return true;
  }
}

/** Injects the result of the request's authentication into a handler. Not for routes that ignore credentials. */
export const Presented = createParamDecorator((_data: unknown, context: ExecutionContext) =>
  authenticationOf(context),
);

/**
 * Injects the authentication of a live session into a handler. Every handler that changes something passes it to
 * `ActorLock`. Not for routes that are `@Public`.
 */
export const Acting = createParamDecorator(
  (_data: unknown, context: ExecutionContext): LiveAuthentication => {
    const authentication = authenticationOf(context);
    return { ...authentication, live: requireLive(authentication) };
  },
);

/** The result that AuthGuard stored in a request; undefined on routes that ignore credentials. */
export function findAuthentication(context: ExecutionContext): Authentication | undefined {
  return context.switchToHttp().getRequest<AuthenticatedRequest>().authentication;
}

function authenticationOf(context: ExecutionContext): Authentication {
  const authentication = findAuthentication(context);
  if (!authentication) throw new Error('the route ignores credentials: use @Public("read"), or no @Public');
  return authentication;
}

/**
 * Returns the session that a request acts for.
 *
 * @throws Problem 401 with the reason if there is no live session, or 400 if credentials of different users were
 * presented.
 */
export function requireLive(authentication: Authentication): NonNullable<Authentication['live']> {
  const { live, dead, hasConflict } = authentication;
  if (hasConflict) throw new Problem('conflicting_credentials');
  if (live) return live;
  if (!dead) throw new Problem('authentication_required');
  throw deadCredential(dead);
}

/** The response to a credential that is not live, or to a session without a right that the route requires. */
export function deadCredential(dead: EndedActor['dead']): Problem {
  return 'action' in dead
    ? new Problem(CODES[dead.reason], { action: dead.action })
    : new Problem(dead.reason);
}
