import { type ExecutionContext, Injectable, SetMetadata } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import {
  InjectThrottlerOptions,
  InjectThrottlerStorage,
  ThrottlerGuard,
  type ThrottlerModuleOptions,
  type ThrottlerRequest,
  type ThrottlerStorage,
} from '@nestjs/throttler';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { RateLimiter } from './rate-limiter.js';

export type RateLimitPolicy = 'login' | 'signup';

export const RATE_LIMIT = 'traffy:rate-limit';

/** Counts calls of a route under a policy of its own, in addition to the policy for all requests. */
export function RateLimited(policy: RateLimitPolicy): MethodDecorator {
  return SetMetadata(RATE_LIMIT, policy);
}

const PASSES = Promise.resolve(true);

/**
 * Counts each request under the policies of its route, before the other guards. The HTTP adapter counts the policy
 * for all requests earlier, because many requests never reach a guard.
 */
@Injectable()
export class RateLimitGuard extends ThrottlerGuard {
  constructor(
    @InjectThrottlerOptions() options: ThrottlerModuleOptions,
    @InjectThrottlerStorage() storage: ThrottlerStorage,
    reflector: Reflector,
    private readonly limiter: RateLimiter,
  ) {
    super(options, storage, reflector);
  }

  /** Most routes have no policy: skip the throttler for them. */
  override canActivate(context: ExecutionContext): Promise<boolean> {
    return policyOf(context) === undefined ? PASSES : super.canActivate(context);
  }

  protected override async handleRequest({
    context,
    throttler,
    limit,
    ttl,
  }: ThrottlerRequest): Promise<boolean> {
    const http = context.switchToHttp();
    const refusal = await this.limiter.count(
      throttler.name ?? 'default',
      { count: limit, windowSeconds: Math.ceil(ttl / 1000) },
      http.getRequest<FastifyRequest>(),
      http.getResponse<FastifyReply>(),
    );
    if (refusal) throw refusal;
    return true;
  }
}

/** Returns whether a throttler does not apply to a route. */
export function isOtherPolicy(policy: RateLimitPolicy): (context: ExecutionContext) => boolean {
  return (context) => policyOf(context) !== policy;
}

function policyOf(context: ExecutionContext): RateLimitPolicy | undefined {
  return Reflect.getOwnMetadata(RATE_LIMIT, context.getHandler()) as RateLimitPolicy | undefined;
}
