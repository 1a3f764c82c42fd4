import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { z } from 'zod';
import { onOff, origin, wholeNumber, type Setting, type Values } from './setting.config.js';

export const APP_ENVIRONMENTS = ['development', 'test', 'production'] as const;
export type AppEnvironment = (typeof APP_ENVIRONMENTS)[number];

const hostName = z
  .string()
  .regex(/^[A-Za-z0-9._:-]{1,253}$/, { error: 'an address or host name to listen on' });

/** A hop count, or the networks of the proxies whose `X-Forwarded-For` is believed. */
export type TrustProxy = number | readonly string[];

const HOPS_MAX = 10;
/** The shortest prefixes of networks that proxies stand in: 10.0.0.0/8 is the widest private one. */
const SHORTEST_PREFIX = { ipv4: 8, ipv6: 16 };
/** Where IPv4 addresses lie among those of IPv6: whoever trusts this trusts them. */
const MAPPED_IPV4 = ipaddr.IPv6.parse('::ffff:0:0');
const MAPPED_PREFIX = 96;

const trustProxy = z
  .string()
  .refine((text) => (/^\d{1,2}$/.test(text) ? Number(text) <= HOPS_MAX : text.split(',').every(isNetwork)), {
    error:
      `a hop count of at most ${HOPS_MAX} (0 = no proxy) or a comma-separated list of addresses or networks such as ` +
      `10.0.0.0/8, none wider than /${SHORTEST_PREFIX.ipv4} (IPv4) or /${SHORTEST_PREFIX.ipv6} (IPv6); ` +
      'true and /0 are refused, because they let every client choose its own address',
  })
  .transform((text): TrustProxy => (/^\d+$/.test(text) ? Number(text) : text.split(',')));

export const appSettings = {
  APP_ENV: {
    schema: z.enum(APP_ENVIRONMENTS, { error: `one of ${APP_ENVIRONMENTS.join(', ')}` }),
    default: 'development',
    meaning: 'Which environment runs; picks the file in config/environments.',
  },
  HOST: {
    schema: hostName,
    default: '127.0.0.1',
    defaultText: '`127.0.0.1`; production `0.0.0.0`',
    meaning: 'Address to listen on. Development answers on loopback only.',
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
      'The origin under which clients reach the service: the issuer of tokens and the base of links. https in production; with https, cookies are `__Host-` and `Secure`.',
  },
  TRUST_PROXY: {
    schema: trustProxy,
    default: '0',
    defaultText: '`0`; must be set explicitly in production',
    meaning: 'Which proxies may state the client address: a hop count, or a list of addresses and networks.',
  },
  TRUSTED_ORIGINS: {
    schema: z
      .string()
      .transform((text) => text.split(','))
      .pipe(z.array(origin())),
    defaultText: '`PUBLIC_URL`',
    meaning:
      'Comma-separated origins whose pages may send unsafe requests and read replies (CSRF and CORS). https only in production.',
  },
  DOCS: {
    schema: onOff(),
    default: 'on',
    defaultText: '`on`; production `off`',
    meaning: 'Swagger UI at /docs and the specification at /openapi.json.',
  },
  LOG_LEVEL: {
    schema: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], {
      error: 'one of fatal, error, warn, info, debug, trace, silent',
    }),
    default: 'info',
    meaning: 'The least severe log lines that are written.',
  },
} satisfies Record<string, Setting>;

export type AppConfig = Omit<Values<typeof appSettings>, 'PUBLIC_URL' | 'TRUSTED_ORIGINS'> & {
  readonly PUBLIC_URL: string;
  readonly TRUSTED_ORIGINS: readonly string[];
};

/** An address, or an address and a prefix length that is not too short: 0 is everybody, what `true` would be. */
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
