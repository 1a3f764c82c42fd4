import type { IncomingMessage } from 'node:http';
import { pathOf } from './ascii.js';

/**
 * The path where reverse proxies ask whether a request is allowed. They forward the header fields that the browser
 * sent to the application, so Accept does not apply to our response.
 */
export const FORWARD_AUTH_PATH = '/verify';

/**
 * Turns a check into a read of `/verify`. Envoy sends the method of the original request, and its path and query behind
 * `/verify`: both belong to the application. As a GET, a check is never a CORS preflight, its body is not parsed, and no
 * spelling of the path reaches another route. Changes the method of the request, and no request that is not a check.
 *
 * @returns the request target. The query stays at `/verify` alone, where the proxy writes it.
 */
export function readCheck(request: IncomingMessage): string {
  const { url = '/', method } = request;
  const path = pathOf(url);
  const isBelow = path.startsWith(`${FORWARD_AUTH_PATH}/`);
  if (!isBelow && path !== FORWARD_AUTH_PATH) return url;
  if (method !== 'HEAD') request.method = 'GET';
  return isBelow ? FORWARD_AUTH_PATH : url;
}
