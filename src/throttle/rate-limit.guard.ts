import { type ExecutionContext, Injectable, SetMetadata } from '@nestjs/common';
import { ThrottlerGuard, type ThrottlerRequest } from '@nestjs/throttler';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Problem } from '../problems/problem.js';
import { clientNetwork } from './client-network.js';

export type RateLimitPolicy = 'login' | 'signup';

export const RATE_LIMIT = 'traffy:rate-limit';

/** Counts calls of a route under a policy of its own, besides the one for all requests. */
export function RateLimited(policy: RateLimitPolicy): MethodDecorator {
  return SetMetadata(RATE_LIMIT, policy);
}

/**
 * Counts each request against the client address, for each policy of the route, before anything else looks at it.
 * Says how much is left in the RateLimit header fields (draft-ietf-httpapi-ratelimit-headers-10).
 */
@Injectable()
export class RateLimitGuard extends ThrottlerGuard {
  private hasWarned = false;

  protected override async handleRequest(props: ThrottlerRequest): Promise<boolean> {
    const request = props.context.switchToHttp().getRequest<FastifyRequest>();
    const reply = props.context.switchToHttp().getResponse<FastifyReply>();
    this.warnOfUntrustedProxy(request);
    const name = props.throttler.name ?? 'default';
    const window = Math.ceil(props.ttl / 1000);
    const { totalHits, timeToExpire, isBlocked } = await this.storageService.increment(
      clientNetwork(request.ip),
      props.ttl,
      props.limit,
      props.blockDuration,
      name,
    );
    const remaining = isBlocked ? 0 : Math.max(0, props.limit - totalHits);
    append(reply, 'ratelimit-policy', `"${name}";q=${props.limit};w=${window}`);
    append(reply, 'ratelimit', `"${name}";r=${remaining};t=${timeToExpire}`);
    if (!isBlocked) return true;
    request.log.warn({ event: 'rate_limited', policy: name, ip: request.ip });
    throw new Problem('rate_limited', {
      detail: `The quota "${name}" of ${props.limit} requests in ${window} s is used up. Retry in ${timeToExpire} s.`,
      members: { 'violated-policies': [name] },
      headers: { 'retry-after': String(timeToExpire) },
    });
  }

  /** Behind a proxy that is not trusted, everybody shares one counter: say it once. */
  private warnOfUntrustedProxy(request: FastifyRequest): void {
    if (this.hasWarned || request.ips !== undefined || !request.headers['x-forwarded-for']) return;
    this.hasWarned = true;
    request.log.warn(
      { event: 'untrusted_proxy' },
      'X-Forwarded-For arrived, but TRUST_PROXY is 0: if a proxy stands in front, all its clients share one rate limit',
    );
  }
}

/** Whether a throttler of a policy does not concern a route. */
export function isOtherPolicy(policy: RateLimitPolicy): (context: ExecutionContext) => boolean {
  return (context) => Reflect.getMetadata(RATE_LIMIT, context.getHandler()) !== policy;
}

function append(reply: FastifyReply, name: string, item: string): void {
  const sofar = reply.getHeader(name);
  reply.header(name, sofar ? `${String(sofar)}, ${item}` : item);
}
