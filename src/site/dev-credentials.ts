import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyRequest } from 'fastify';
import { Authenticator, sessionIdOf } from '../auth/credentials/authenticator.js';
import { CredentialReply } from '../auth/credentials/credential-reply.js';
import { RevocationFeed } from '../auth/revocation/revocation-feed.service.js';
import { expireSession } from '../auth/sessions/expire-session.js';
import type { LiveSession } from '../auth/sessions/session-state.js';
import { AccessTokens } from '../auth/strategies/jwt/access-tokens.service.js';
import { Database } from '../platform/database/database.js';
import { Cookies } from '../platform/http/cookies.js';

/** Seconds that an access token has been expired for: more than clocks may differ. */
const EXPIRED_FOR = 3_600;

/** The credentials of a request as a developer may see them: what they say, never themselves. */
export async function describeCredentials(
  app: NestFastifyApplication,
  request: FastifyRequest,
): Promise<object[]> {
  const authenticator = app.get(Authenticator, { strict: false });
  const values = app.get(CredentialReply, { strict: false }).presented(request);
  const described = values.map(async (value) => {
    const inspection = await authenticator.inspect(value);
    if (inspection === null) return [];
    const { verdict, claims } = inspection;
    const session = verdict.status === 'live' ? verdict.session : null;
    const expiresAt = claims ? new Date(claims.exp * 1000) : session?.expiresAt;
    return [
      {
        kind: verdict.kind,
        status: verdict.status === 'live' ? 'live' : verdict.dead.reason,
        sid: sessionIdOf(verdict),
        email: session?.email ?? null,
        roles: session ? [session.role] : [],
        expires_at: expiresAt?.toISOString() ?? null,
        audience: claims?.aud ?? null,
        claims,
      },
    ];
  });
  return (await Promise.all(described)).flat();
}

/**
 * Lets the live credential of a request expire: a session in its row; an access token by one for the same session that
 * has expired already, because the one that was signed cannot change.
 *
 * @returns the cookies to set; null without a live credential.
 */
export async function expireCredential(
  app: NestFastifyApplication,
  { headers: { authorization, cookie } }: FastifyRequest,
): Promise<string[] | null> {
  const { verdicts } = await app
    .get(Authenticator, { strict: false })
    .read({ authorization, cookie }, { role: null, needsStepUp: false });
  const found = verdicts.find((verdict) => verdict.status === 'live');
  if (!found) return null;
  if (found.kind === 'jwt') return [await expiredToken(app, found.session)];
  await expireSession(app.get(Database, { strict: false }), found.session.sessionId);
  await app.get(RevocationFeed, { strict: false }).catchUp();
  return [];
}

async function expiredToken(app: NestFastifyApplication, session: LiveSession): Promise<string> {
  const now = app.get(Database, { strict: false }).clock.now();
  const expiresAt = new Date(now - EXPIRED_FOR * 1000);
  const { token } = await app
    .get(AccessTokens, { strict: false })
    .issue({ ...session, expiresAt }, expiresAt);
  const secondsLeft = (session.expiresAt.getTime() - now) / 1000;
  return app.get(Cookies, { strict: false }).set('access_token', token, secondsLeft);
}
