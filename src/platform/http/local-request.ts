import type { FastifyRequest } from 'fastify';
import { addressRange, isWithin } from './address.js';
import { equalsIgnoringCase } from './ascii.js';

const LOOPBACK = ['127.0.0.0/8', '::1'].map(addressRange);

/**
 * Whether a request was made on this machine for this machine: not through a local proxy or tunnel, and not by a page
 * whose name resolves to this machine (DNS rebinding), which would be of the same origin.
 */
export function isFromHere(
  { clientAddress, socket, headers, hostname }: FastifyRequest,
  publicUrl: string,
): boolean {
  if (headers['x-forwarded-for'] !== undefined || headers['forwarded'] !== undefined) return false;
  if (!isLoopback(clientAddress) || !isLoopback(socket.remoteAddress ?? '')) return false;
  const host = hostname.replace(/^\[|\]$/g, '');
  return equalsIgnoringCase(host, 'localhost') || isLoopback(host) || host === new URL(publicUrl).hostname;
}

function isLoopback(address: string): boolean {
  return isWithin(address, LOOPBACK);
}
