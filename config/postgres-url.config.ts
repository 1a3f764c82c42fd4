/** One server of a database URL, and how to connect. */
export interface PostgresTarget {
  /** A URL of one host, as the driver understands it. */
  readonly url: string;
  /** How to encrypt, where the URL leaves it to the server; else the URL says it. */
  readonly ssl?: false | { readonly rejectUnauthorized: false };
}

/** What a database URL says. */
export interface PostgresUrl {
  /** In the order in which they are tried. */
  readonly targets: readonly [PostgresTarget, ...PostgresTarget[]];
  readonly database: string;
  /** The schema of the tables; null if the server decides. */
  readonly schema: string | null;
  /** Command-line options for the session, as libpq has them. */
  readonly options: string;
}

/** What is wrong with a text that is no such URL at all. */
export const NOT_A_URL = 'not a PostgreSQL URL';

/** The user, the hosts, the database, and the parameters. */
const FORM =
  /^postgres(?:ql)?:\/\/(?:(?<user>[^/?#]*)@)?(?<hosts>[^/?#@]+)\/(?<path>[^?#]+)(?:\?(?<query>[^#]*))?$/;

/** Parameters that the driver reads from the URL. */
const OF_DRIVER = [
  'application_name',
  'fallback_application_name',
  'host',
  'lock_timeout',
  'password',
  'port',
  'ssl',
  'sslcert',
  'sslkey',
  'sslmode',
  'sslnegotiation',
  'sslrootcert',
  'statement_timeout',
  'uselibpqcompat',
  'user',
];
/** Parameters that are read here. `search_path` is what other drivers call `schema`. */
const OF_OURS = ['options', 'schema', 'search_path', 'target_session_attrs'];
/** Parameters of libpq whose purpose Traffy fulfils with values of its own. */
const WITHOUT_EFFECT = ['client_encoding', 'connect_timeout', 'keepalives'];
const KNOWN = new Set([...OF_DRIVER, ...OF_OURS, ...WITHOUT_EFFECT]);

/** Traffy writes, so it needs the server that can. */
const WRITABLE = new Set(['any', 'read-write', 'primary']);
const SSL_MODES = new Set(['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full', 'no-verify']);

const PLAIN = false;
/** As libpq: encrypted if possible, and without a check of the certificate. */
const UNCHECKED = { rejectUnauthorized: false } as const;

/**
 * Reads a database URL. In addition to what the driver knows, it can list several hosts, of which the first that
 * accepts writes is used, `sslmode=prefer` or `allow`, and the schema of the tables.
 *
 * @returns what is wrong, as a text, if it cannot be used.
 */
export function readPostgresUrl(text: string): PostgresUrl | string {
  const { user, hosts = '', path = '', query = '' } = FORM.exec(text)?.groups ?? {};
  if (hosts === '') return NOT_A_URL;
  const parameters = new URLSearchParams(query);
  const flaw = flawOf(parameters);
  if (flaw) return flaw;
  const take = (name: string) => {
    const value = parameters.get(name);
    parameters.delete(name);
    return value;
  };
  const named = take('schema') ?? take('search_path');
  const options = take('options') ?? '';
  take('target_session_attrs');
  for (const name of WITHOUT_EFFECT) take(name);
  const modes = sslModes(parameters);
  const rest = parameters.size > 0 ? `?${parameters.toString()}` : '';
  const urls = hosts
    .split(',')
    .map((host) => `postgres://${user === undefined ? '' : `${user}@`}${host}/${path}${rest}`);
  if (!urls.every(isUrl)) return NOT_A_URL;
  const [first, ...others] = urls.flatMap((url) =>
    modes.map((ssl) => ({ url, ...(ssl !== null && { ssl }) })),
  );
  if (!first) return NOT_A_URL;
  return {
    targets: [first, ...others],
    database: decodeURIComponent(path),
    schema: named ?? schemaIn(options),
    options,
  };
}

function flawOf(parameters: URLSearchParams): string | null {
  const unknown = [...parameters.keys()].find((name) => !KNOWN.has(name));
  if (unknown !== undefined) return `the parameter ${unknown} is unknown`;
  const attributes = parameters.get('target_session_attrs');
  if (attributes !== null && !WRITABLE.has(attributes))
    return 'target_session_attrs must be read-write, primary or any: Traffy writes';
  const mode = parameters.get('sslmode');
  if (mode !== null && !SSL_MODES.has(mode)) return `sslmode must be one of ${[...SSL_MODES].join(', ')}`;
  return null;
}

/** The ways to encrypt in order; null if the URL says it. Removes what the driver would misunderstand. */
function sslModes(parameters: URLSearchParams): (null | false | typeof UNCHECKED)[] {
  const mode = parameters.get('sslmode');
  if (mode !== 'prefer' && mode !== 'allow') return [null];
  for (const name of ['sslmode', 'sslrootcert', 'uselibpqcompat']) parameters.delete(name);
  return mode === 'prefer' ? [UNCHECKED, PLAIN] : [PLAIN, UNCHECKED];
}

/** The first schema of `-c search_path=app,public`. */
function schemaIn(options: string): string | null {
  const path = /(?:^|\s)(?:-c\s*|--)search_path=(?<path>(?:\\.|[^\s\\])+)/.exec(options)?.groups?.['path'];
  const [first = ''] = (path ?? '').replaceAll(/\\(.)/g, '$1').split(',');
  const name = first.trim().replace(/^"(.*)"$/, '$1');
  return name === '' || name === '$user' ? null : name;
}

function isUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { username, password, pathname } = new URL(text);
  try {
    decodeURIComponent(username + password);
    return decodeURIComponent(pathname).length > 1;
  } catch {
    return false;
  }
}
