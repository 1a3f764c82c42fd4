import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const FOLDER = join(import.meta.dirname, '..', '..', 'docs', 'proxies');

/** Where a configuration that does not run here sends a path, as its documentation says; null without an answer. */
export type Destination = 'traffy' | 'application' | null;

const parsed = new Map<string, unknown>();

/** Parses a YAML file of docs/proxies, with Ruby's parser: the project itself has none. */
function read(file: string): unknown {
  const known = parsed.get(file);
  if (known !== undefined) return known;
  const script =
    'require "yaml"; require "json"; puts JSON.generate(YAML.safe_load($stdin.read, aliases: true))';
  const input = readFileSync(join(FOLDER, file));
  const text = execFileSync('ruby', ['-e', script], { input, encoding: 'utf8' });
  parsed.set(file, JSON.parse(text));
  return parsed.get(file);
}

interface TraefikRouter {
  readonly rule: string;
  readonly priority: number;
  readonly middlewares: readonly string[];
  readonly service: 'traffy' | 'application';
}

/** The routers of traefik.yml, the one that is tried first in front. */
export function traefikRouters(): TraefikRouter[] {
  const { http } = read('traefik.yml') as { http: { routers: Record<string, TraefikRouter> } };
  return Object.values(http.routers).toSorted((one, other) => other.priority - one.priority);
}

const TRAEFIK_MATCHERS: Readonly<Record<string, (path: string, argument: string) => boolean>> = {
  Path: (path, argument) => path === argument,
  PathPrefix: (path, argument) => path.startsWith(argument),
};

/** Evaluates a rule of alternatives (`||`) of conditions (`&&`, `!`). Throws for other syntax. */
function matchesRule(rule: string, path: string): boolean {
  return rule.split(' || ').some((alternative) =>
    alternative.split(' && ').every((condition) => {
      const [, not, name = '', argument = ''] = /^(!?)(\w+)\(`([^`]*)`\)$/.exec(condition) ?? [];
      const matches = TRAEFIK_MATCHERS[name];
      if (!matches) throw new Error(`unknown condition ${condition}`);
      return matches(path, argument) !== (not === '!');
    }),
  );
}

/** Returns where traefik.yml sends a path. */
export function traefikDestination(path: string): Destination {
  const router = traefikRouters().find(({ rule }) => matchesRule(rule, path));
  return router?.service ?? null;
}

interface EnvoyRoute {
  readonly match: {
    readonly path?: string;
    readonly prefix?: string;
    readonly path_separated_prefix?: string;
    readonly safe_regex?: { readonly regex: string };
  };
  readonly route?: { readonly cluster: 'traffy' | 'application' };
  readonly typed_per_filter_config?: Readonly<Record<string, { readonly disabled?: boolean }>>;
}

interface StringMatchers {
  readonly patterns: readonly { readonly exact: string }[];
}

interface ExtAuthz {
  readonly failure_mode_allow: boolean;
  readonly with_request_body?: unknown;
  readonly allowed_headers: StringMatchers;
  readonly http_service: {
    readonly path_prefix: string;
    readonly authorization_request: {
      readonly headers_to_add: readonly { readonly key: string; readonly value: string }[];
    };
    readonly authorization_response: { readonly allowed_upstream_headers: StringMatchers };
  };
}

interface ConnectionManager {
  readonly http_filters: readonly { readonly name: string; readonly typed_config: unknown }[];
  readonly early_header_mutation_extensions: readonly {
    readonly typed_config: { readonly mutations: readonly { readonly remove: string }[] };
  }[];
  readonly route_config: { readonly virtual_hosts: readonly { readonly routes: readonly EnvoyRoute[] }[] };
}

/** The connection manager of envoy.yaml. */
function connectionManager(): ConnectionManager {
  const { static_resources: resources } = read('envoy.yaml') as {
    static_resources: {
      listeners: { filter_chains: { filters: { typed_config: ConnectionManager }[] }[] }[];
    };
  };
  const manager = resources.listeners[0]?.filter_chains[0]?.filters[0]?.typed_config;
  if (!manager) throw new Error('envoy.yaml has no connection manager');
  return manager;
}

/** The ext_authz filter of envoy.yaml, and the fields that it removes from requests before. */
export function envoyChecks(): { filter: ExtAuthz; removed: string[] } {
  const { http_filters: filters, early_header_mutation_extensions: early } = connectionManager();
  const filter = filters.find(({ name }) => name === 'envoy.filters.http.ext_authz')?.typed_config;
  const removed = early.flatMap(({ typed_config: config }) => config.mutations.map(({ remove }) => remove));
  return { filter: filter as ExtAuthz, removed };
}

/** Returns where envoy.yaml sends a path, and whether it asks Traffy before. */
export function envoyDestination(path: string): { to: Destination; isChecked: boolean } {
  const routes = connectionManager().route_config.virtual_hosts[0]?.routes ?? [];
  const found = routes.find(({ match }) => matchesRoute(match, path));
  const isOff = found?.typed_per_filter_config?.['envoy.filters.http.ext_authz']?.disabled === true;
  return { to: found?.route?.cluster ?? null, isChecked: !isOff };
}

function matchesRoute(match: EnvoyRoute['match'], path: string): boolean {
  const { prefix, path_separated_prefix: separated, safe_regex: regex } = match;
  if (match.path !== undefined) return path === match.path;
  if (prefix !== undefined) return path.startsWith(prefix);
  if (separated !== undefined) return path === separated || path.startsWith(`${separated}/`);
  if (regex !== undefined) return new RegExp(`^(?:${regex.regex})$`).test(path);
  throw new Error(`unknown match ${JSON.stringify(match)}`);
}

/**
 * The request that ext_authz sends for a request, as Envoy's documentation has it: method, path and query of the request,
 * Host, Authorization and the listed fields, no body but where `with_request_body` is set, and what Envoy adds to the
 * requests of its filters.
 *
 * @param headers of the request, with names in lower case.
 * @param body what `with_request_body` would pass on; by default nothing, as in the file.
 */
export function envoyCheck(
  path: string,
  headers: Readonly<Record<string, string>>,
  body?: string,
): { path: string; headers: Record<string, string>; body?: string } {
  const { filter, removed } = envoyChecks();
  const { path_prefix: prefix, authorization_request: request } = filter.http_service;
  const passed = ['authorization', ...filter.allowed_headers.patterns.map(({ exact }) => exact)];
  const kept = Object.entries(headers).filter(
    ([name]) => passed.includes(name) && !removed.includes(name) && !name.includes('_'),
  );
  return {
    path: `${prefix}${path}`,
    headers: {
      ...Object.fromEntries(kept),
      host: headers['host'] ?? '127.0.0.1',
      // Of the client, by the connection manager; then of Envoy itself, by the client of its filters.
      'x-forwarded-for': '198.51.100.7, 192.0.2.1',
      'x-envoy-internal': 'true',
      'x-envoy-expected-rq-timeout-ms': '5000',
      'content-length': String(Buffer.byteLength(body ?? '')),
      ...(body !== undefined && {
        'content-type': headers['content-type'] ?? 'text/plain',
        'x-envoy-auth-partial-body': 'false',
      }),
      ...Object.fromEntries(request.headers_to_add.map(({ key, value }) => [key, value])),
    },
    ...(body !== undefined && { body }),
  };
}
