import { isIPv6 } from 'node:net';
import type { FastifyRequest } from 'fastify';
import { Problem } from '../problems/problem.js';
import { equalsIgnoringCase, listElements, lowerAscii, pathOf } from './ascii.js';
import { bodyTypeProblem } from './body-type.js';
import { FORWARD_AUTH_PATH } from './forward-auth-path.js';
import type { RouteTable } from './route-table.js';

/** The media ranges of our replies: all are JSON, some of them signed. */
const JSON_RANGE = /^(?:\*\/\*|application\/(?:\*|(?:[a-z.-]+\+)?(?:json|jwt)))(?:[ \t]*;|$)/i;
/** A quality of zero means "not acceptable" (RFC 9110 §12.4.2). */
const REFUSED_RANGE = /;[ \t]*q=0(?:\.0*)?[ \t]*(?:;|$)/i;

/** The only expectation of RFC 9110 §10.1.1, which Node.js answers itself. */
const CONTINUE = '100-continue';

/** RFC 9112 §3.2: a host, and perhaps a port; empty if the URL has no authority. */
const HOST = /^(?:\[([0-9A-Fa-f:.]+)\]|(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)(?::\d*)?$/;

/**
 * Fields that may occur once only (RFC 9110 §5.3). Of several lines Node.js keeps the first, and a proxy can have read
 * another one.
 */
const SINGLE_FIELDS = ['host', 'authorization', 'content-type', 'origin'];
/** Those that belong to the request that a proxy asks about, and do not count there. */
const IGNORED_BY_FORWARD_AUTH = new Set(['content-type', 'origin']);

/** Returns the problem of a request that does not depend on the handler of its route, or null. */
export function requestProblem(request: FastifyRequest, routes: RouteTable): Problem | null {
  return (
    messageProblem(request) ??
    (request.is404 ? routes.problemOf(request.url) : null) ??
    acceptProblem(request) ??
    (isCheck(request) ? null : bodyTypeProblem(request))
  );
}

/** Whether the Accept field of requests for a path is checked. Pages, health checks and forwarded fields are not. */
export function isNegotiated(path: string): boolean {
  const servesPages = path === '/docs' || path.startsWith('/docs/') || path.startsWith('/assets/');
  return !servesPages && !path.startsWith('/health/') && path !== FORWARD_AUTH_PATH;
}

/** Whether a reverse proxy asks about another request, whose body and type it can repeat. */
function isCheck({ routeOptions }: FastifyRequest): boolean {
  return routeOptions.url === FORWARD_AUTH_PATH;
}

function messageProblem(request: FastifyRequest): Problem | null {
  const { headers, httpVersion, rawHeaders } = request.raw;
  if (headers.host === undefined && httpVersion === '1.1') return malformed('The Host header is missing.');
  if (headers.host !== undefined && !isHost(headers.host)) return malformed('The Host header is not a host.');
  const repeated = repeatedField(rawHeaders);
  if (repeated && !(isCheck(request) && IGNORED_BY_FORWARD_AUTH.has(repeated)))
    return malformed(`The header ${repeated} occurs more than once.`);
  const { expect } = headers;
  if (expect !== undefined && !listElements(expect).every((one) => equalsIgnoringCase(one, CONTINUE)))
    return new Problem('expectation_failed');
  // Node.js decodes chunks only, and would pass on what is compressed inside them.
  const coding = headers['transfer-encoding'];
  if (coding !== undefined && !equalsIgnoringCase(coding, 'chunked'))
    return new Problem('transfer_coding_not_implemented', { headers: { connection: 'close' } });
  return null;
}

function acceptProblem({ headers: { accept }, routeOptions, url }: FastifyRequest): Problem | null {
  if (!accept || routeOptions.config.isPage || !isNegotiated(pathOf(url))) return null;
  const isAcceptable = listElements(accept).some(
    (range) => JSON_RANGE.test(range) && !REFUSED_RANGE.test(range),
  );
  return isAcceptable ? null : new Problem('not_acceptable');
}

function isHost(text: string): boolean {
  const match = HOST.exec(text);
  return match !== null && (match[1] === undefined || isIPv6(match[1]));
}

/** The name of a single field that occurs more than once, or null. */
function repeatedField(rawHeaders: readonly string[]): string | null {
  let seen: string[] | undefined;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const given = rawHeaders[index] ?? '';
    // Most fields have another length, which is cheaper to compare.
    const name = SINGLE_FIELDS.find((one) => one.length === given.length && one === lowerAscii(given));
    if (name === undefined) continue;
    if (seen?.includes(name)) return name;
    (seen ??= []).push(name);
  }
  return null;
}

function malformed(detail: string): Problem {
  return new Problem('malformed_request', { detail });
}
