import type { SecuritySchemeObject } from '@nestjs/swagger';
import type { StrategyName } from '../../../config/auth.config.js';
import type { Config } from '../../../config/load.config.js';
import { type CookieName, Cookies } from '../http/cookies.js';
import type { Described } from './documented-strategies.js';

/** The texts of the specification for a strategy. */
interface StrategyDocs {
  /** The ways to send its credential, if it is accepted. */
  readonly schemes: Readonly<Record<string, SecuritySchemeObject>>;
  /** The answer of a sign-in, if it issues. */
  readonly signIn: string;
  /** The `Set-Cookie` of a sign-in. */
  readonly setCookie: string;
  /** How to use it on the page. */
  readonly tryIt: string;
}

/** The key of the scheme that a page can fill in: cookies are not accessible to it. */
export const BEARER_SCHEME = 'bearer';

/** The documentation of a strategy, with the configured names of its cookies. */
export function strategyDocs(config: Config, name: StrategyName): StrategyDocs {
  const known: Readonly<Partial<Record<StrategyName, StrategyDocs>>> = describedStrategies(config);
  return known[name] ?? bearerDocs(name);
}

/** The documentation of a strategy without texts of its own. */
function bearerDocs(name: StrategyName): StrategyDocs {
  return {
    schemes: {
      [BEARER_SCHEME]: {
        type: 'http',
        scheme: 'bearer',
        description: 'The `access_token` of `POST /login`.',
      },
    },
    signIn: `A sign-in returns a credential of the strategy \`${name}\`.`,
    setCookie: 'With `"transport": "cookie"`: the credential.',
    tryIt: 'Sign in with `POST /login` below; this page then sends the `access_token` with every call.',
  };
}

function describedStrategies(config: Config): Readonly<Partial<Record<StrategyName, StrategyDocs>>> {
  const cookies = new Cookies(config.app.PUBLIC_URL, config.app.COOKIE_PREFIX);
  const cookie = (name: CookieName) => cookies.nameOf(name);
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
      signIn: `A sign-in sets the cookie \`${cookie('session')}\`. The field \`transport\` of \`POST /login\` is accepted and has no effect.`,
      setCookie: `\`${cookie('session')}\`, until the session ends.`,
      tryIt:
        'Sign in with `POST /login` below; your browser stores the cookie and sends it with every call until `POST /logout`.',
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
        'A sign-in returns an access token and a refresh token in the body. With `"transport": "cookie"` they travel ' +
        `in the cookies \`${cookie('access_token')}\` and \`${cookie('refresh_token')}\` instead, which scripts cannot read, and never in a body.`,
      setCookie: `With \`"transport": "cookie"\`: \`${cookie('access_token')}\` and \`${cookie('refresh_token')}\`.`,
      tryIt:
        'Sign in with `POST /login` below; this page then sends the access token with every call until ' +
        '`POST /logout`. Enter a token from elsewhere under *Authorize*.',
    },
  };
}

/** The introduction of the specification: the strategy, how credentials travel, and how to try it. */
export function introduction(described: Described): string {
  return [
    ...(described.issuing.length > 1 ? introduceUnion(described) : introduceRunning(described)),
    'Errors are `application/problem+json` (RFC 9457) with a stable `code`; each call lists those that it can return. ' +
      'Bodies are `application/json` in UTF-8, 16 KiB at most. Requests from pages of other sites are refused.',
  ].join('\n\n');
}

function introduceRunning({ config, issuing: [issuing], accepted: order }: Described): string[] {
  const docs = strategyDocs(config, issuing);
  const accepted = order.slice(1).map((name) => `\`${name}\``);
  return [
    `Sign-up, sign-in, account and sign-out. This server runs \`AUTH_STRATEGY=${order.join(',')}\`.`,
    docs.signIn,
    ...(accepted.length > 0 ? [`Credentials of the strategy ${accepted.join(', ')} are accepted too.`] : []),
    `**Try it.** Create an account with \`POST /signup\`: the examples work unchanged. ${docs.tryIt} ` +
      'See the current user with `GET /me` and `GET /users/me`. Try passkeys on [the account page](/account).',
  ];
}

function introduceUnion({ config, issuing }: Described): string[] {
  return [
    'Sign-up, sign-in, account and sign-out. This is the union over all values of `AUTH_STRATEGY`, for generated ' +
      'clients: every route, and every answer that a strategy gives. Fields that only some strategies have are optional.',
    ...issuing.map((name) => `If \`${name}\` issues: ${strategyDocs(config, name).signIn}`),
  ];
}
