import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { z } from 'zod';
import {
  duration,
  onOff,
  origin,
  pageOrigin,
  wholeNumber,
  type Setting,
  type Values,
} from './setting.config.js';

export const APP_ENVIRONMENTS = ['development', 'test', 'production'] as const;
export type AppEnvironment = (typeof APP_ENVIRONMENTS)[number];

const hostName = z
  .string()
  .regex(/^[A-Za-z0-9._:-]{1,253}$/, { error: 'an address or host name to listen on' });

/** A header field name (RFC 9110 §5.1), without `*`, which does not cover Authorization. */
const FIELD_NAME = /^[a-z0-9!#$%&'+.^_`|~-]{1,64}$/;
const COOKIE_PREFIX = /^[A-Za-z0-9._-]{1,32}$/;

/** A hop count, or the networks of the trusted proxies. */
type TrustProxy = number | readonly string[];

const HOPS_MAX = 10;
/** The shortest allowed prefixes of proxy networks: 10.0.0.0/8 is the widest private network. */
const SHORTEST_PREFIX = { ipv4: 8, ipv6: 16 };
/** IPv4-mapped IPv6 addresses: trusting this network trusts every IPv4 address. */
const MAPPED_IPV4 = ipaddr.IPv6.parse('::ffff:0:0');
const MAPPED_PREFIX = 96;

const trustProxy = z
  .string()
  .refine((text) => (/^\d{1,2}$/.test(text) ? Number(text) <= HOPS_MAX : text.split(',').every(isNetwork)), {
    error:
      `a hop count of at most ${HOPS_MAX} (0 = no proxy) or a comma-separated list of addresses or networks such as ` +
      `10.0.0.0/8, none wider than /${SHORTEST_PREFIX.ipv4} (IPv4) or /${SHORTEST_PREFIX.ipv6} (IPv6); ` +
      'true and /0 are refused, because any client could then forge its address',
  })
  .transform((text): TrustProxy => (/^\d+$/.test(text) ? Number(text) : text.split(',')));

export const appSettings = {
  APP_ENV: {
    schema: z.enum(APP_ENVIRONMENTS, { error: `one of ${APP_ENVIRONMENTS.join(', ')}` }),
    default: 'development',
    meaning: 'The environment; selects the file in config/environments.',
  },
  HOST: {
    schema: hostName,
    default: '127.0.0.1',
    defaultText: '`127.0.0.1`; production `0.0.0.0`',
    meaning: 'Address to listen on. Development listens on loopback only.',
  },
  PORT: {
    schema: wholeNumber(0, 65_535),
    default: '8000',
    meaning: 'Port to listen on; 0 takes a free one.',
  },
  PUBLIC_URL: {
    schema: origin(),
    defaultText: '`http://localhost:$PORT`; required in production',
    meaning:
      'The origin that clients use: issuer of tokens and base of links. Must be https in production; with https, cookies are `__Host-` and `Secure`.',
  },
  TRUST_PROXY: {
    schema: trustProxy,
    default: '0',
    defaultText: '`0`; must be set explicitly in production',
    meaning: 'Proxies whose `X-Forwarded-For` is trusted: a hop count, or a list of addresses and networks.',
  },
  TRUSTED_ORIGINS: {
    schema: z
      .string()
      .transform((text) => text.split(','))
      .pipe(z.array(pageOrigin())),
    defaultText: '`PUBLIC_URL`',
    meaning:
      'Comma-separated origins whose pages may send unsafe requests and read replies (CSRF and CORS), in addition to `PUBLIC_URL`. Applications can have a scheme of their own, such as `capacitor://localhost`. No http in production.',
  },
  CORS_HEADERS: {
    schema: z
      .string()
      .transform((text) => [...new Set(text.split(',').map((name) => name.trim().toLowerCase()))])
      .refine((names) => names.every((name) => FIELD_NAME.test(name)), {
        error:
          'a comma-separated list of header names such as authorization,content-type,x-client-version; no *',
      }),
    default: 'authorization,content-type,traceparent,tracestate,baggage,x-requested-with',
    meaning: 'Request headers that pages of trusted origins can send (CORS).',
  },
  COOKIE_PREFIX: {
    schema: z.string().refine((text) => COOKIE_PREFIX.test(text) && !/^__(host|secure)-/i.test(text), {
      error:
        'up to 32 letters, digits, dots, hyphens and underscores, such as staging-; __Host- comes by itself with an https PUBLIC_URL',
    }),
    defaultText: 'unset: `session`, `access_token`, `refresh_token`',
    meaning:
      'Put before the names of all cookies, behind `__Host-`: two instances on one host then do not sign each other out. A change signs out every user of cookies.',
  },
  DOCS: {
    schema: onOff(),
    default: 'on',
    defaultText: '`on`; production `off`',
    meaning: 'Swagger UI at /docs and the specification at /openapi.json.',
  },
  SHUTDOWN_DELAY: {
    schema: duration({ max: 300 }),
    default: '0s',
    defaultText: '`0s`; production `3s`',
    meaning:
      'How long requests are still accepted after SIGTERM, while `/health/ready` is 503: at least the time in which load balancers notice.',
  },
  KEEP_ALIVE_TIMEOUT: {
    schema: duration({ min: 1, max: 3_600 }),
    default: '72s',
    meaning:
      'How long an idle connection stays open. Longer than the proxy in front keeps it, or the proxy sends a request on a connection that is being closed.',
  },
  LOG_LEVEL: {
    schema: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], {
      error: 'one of fatal, error, warn, info, debug, trace, silent',
    }),
    default: 'info',
    meaning: 'Minimum severity of log lines.',
  },
} satisfies Record<string, Setting>;

export type AppConfig = Omit<Values<typeof appSettings>, 'PUBLIC_URL' | 'TRUSTED_ORIGINS'> & {
  readonly PUBLIC_URL: string;
  readonly TRUSTED_ORIGINS: readonly string[];
};

/** The origins whose pages are trusted: its own, whatever TRUSTED_ORIGINS lists, and those. */
export function trustedOrigins({ PUBLIC_URL, TRUSTED_ORIGINS }: AppConfig): readonly string[] {
  return [...new Set([PUBLIC_URL, ...TRUSTED_ORIGINS])];
}

/** An address, or a network whose prefix is not too short: /0 would trust every client, as `true` would. */
function isNetwork(text: string): boolean {
  const [address = '', length, ...rest] = text.split('/');
  if (isIP(address) === 0 || rest.length > 0) return false;
  if (length === undefined) return true;
  if (!/^[1-9]\d{0,2}$/.test(length)) return false;
  const prefix = Number(length);
  const parsed = ipaddr.parse(address);
  if (parsed instanceof ipaddr.IPv4) return prefix >= SHORTEST_PREFIX.ipv4 && prefix <= 32;
  const holdsIpv4 = MAPPED_IPV4.match(parsed, Math.min(prefix, MAPPED_PREFIX));
  const shortest = holdsIpv4 ? MAPPED_PREFIX + SHORTEST_PREFIX.ipv4 : SHORTEST_PREFIX.ipv6;
  return prefix >= shortest && prefix <= 128;
}
