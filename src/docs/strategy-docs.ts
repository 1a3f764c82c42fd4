import type { SecuritySchemeObject } from '@nestjs/swagger';
import type { StrategyName } from '../../config/auth.config.js';
import type { Config } from '../../config/load.config.js';

/** What the specification says of a strategy. */
interface StrategyDocs {
  /** The ways to send its credential, where it is accepted. */
  readonly schemes: Readonly<Record<string, SecuritySchemeObject>>;
  /** What a sign-in answers with, where it issues. */
  readonly signIn: string;
  /** What `Set-Cookie` holds then. */
  readonly setCookie: string;
  /** How to use it from the page. */
  readonly tryIt: string;
}

/** The key of the scheme that a page can fill in: browsers keep cookies to themselves. */
export const BEARER_SCHEME = 'bearer';

/** The documentation of a strategy, under the names that its cookies have here. */
export function strategyDocs(config: Config, name: StrategyName): StrategyDocs {
  const known: Readonly<Partial<Record<StrategyName, StrategyDocs>>> = describedStrategies(config);
  return known[name] ?? bearerDocs(name);
}

/** What can be said of a strategy that nobody described here. */
function bearerDocs(name: StrategyName): StrategyDocs {
  return {
    schemes: {
      [BEARER_SCHEME]: {
        type: 'http',
        scheme: 'bearer',
        description: 'The `access_token` of `POST /login`.',
      },
    },
    signIn: `A sign-in answers a credential of the strategy \`${name}\`.`,
    setCookie: 'With `"transport": "cookie"`: the credential.',
    tryIt:
      'Sign in with `POST /login` below; this page then sends the `access_token` with every call by itself.',
  };
}

function describedStrategies(config: Config): Readonly<Partial<Record<StrategyName, StrategyDocs>>> {
  const cookie = (name: string) => (config.app.PUBLIC_URL.startsWith('https:') ? `__Host-${name}` : name);
  return {
    session: {
      schemes: {
        session: {
          type: 'apiKey',
          in: 'cookie',
          name: cookie('session'),
          description:
            'The opaque cookie that `POST /login` sets. Scripts cannot read it; a browser sends it.',
        },
      },
      signIn: `A sign-in sets the cookie \`${cookie('session')}\`. The field \`transport\` of \`POST /login\` is accepted and changes nothing.`,
      setCookie: `\`${cookie('session')}\`, until the session ends.`,
      tryIt:
        'Sign in with `POST /login` below; the cookie is kept by your browser, and every call sends it until `POST /logout`.',
    },
    jwt: {
      schemes: {
        [BEARER_SCHEME]: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description: 'The `access_token` of `POST /login` (RFC 9068), as `Authorization: Bearer …`.',
        },
        accessTokenCookie: {
          type: 'apiKey',
          in: 'cookie',
          name: cookie('access_token'),
          description:
            'The same access token, in the cookie that `POST /login` sets with `"transport": "cookie"`.',
        },
      },
      signIn:
        'A sign-in answers an access token and a refresh token in the body. With `"transport": "cookie"` they travel ' +
        `in the cookies \`${cookie('access_token')}\` and \`${cookie('refresh_token')}\` instead, which scripts cannot read, and never in a body.`,
      setCookie: `With \`"transport": "cookie"\`: \`${cookie('access_token')}\` and \`${cookie('refresh_token')}\`.`,
      tryIt:
        'Sign in with `POST /login` below; this page then sends the access token with every call by itself, until ' +
        '`POST /logout`. A token from elsewhere goes into *Authorize*.',
    },
  };
}

/** The first page of the specification: which strategy runs, how credentials travel, and how to try it. */
export function introduction(config: Config): string {
  const { AUTH_STRATEGY: order } = config.auth;
  const docs = strategyDocs(config, order[0]);
  const accepted = order.slice(1).map((name) => `\`${name}\``);
  return [
    `Sign-up, sign-in, who am I and sign-out. This server runs \`AUTH_STRATEGY=${order.join(',')}\`.`,
    docs.signIn,
    ...(accepted.length > 0 ? [`Credentials of the strategy ${accepted.join(', ')} are accepted too.`] : []),
    `**Try it.** Make an account with \`POST /signup\`: the examples work as they stand. ${docs.tryIt} ` +
      'See who you are with `GET /me` and `GET /users/me`. Passkeys are tried on [a page of their own](/docs/passkeys).',
    'Errors are `application/problem+json` (RFC 9457) with a stable `code`; each call lists those it can answer. ' +
      'Bodies are `application/json` in UTF-8, 16 KiB at most. Requests from pages of other sites are refused.',
  ].join('\n\n');
}
