import type { FastifyRequest } from 'fastify';
import { addressRange, isWithin } from './address.js';
import { lowerAscii } from './ascii.js';

const LOOPBACK = ['127.0.0.0/8', '::1'].map(addressRange);

/** Header fields that proxies and tunnels add. */
const FORWARDING = /^(?:forwarded|via|x-forwarded-.*|x-real-ip|x-client-ip|cf-connecting-ip|true-client-ip)$/;

/**
 * Whether a request was made on this machine for this machine: not through a local proxy or tunnel, and not by a page
 * whose name resolves to this machine (DNS rebinding), which would be of the same origin. A proxy on this machine that
 * changes the host and adds no field looks like a local program.
 */
export function isFromHere({ clientAddress, socket, headers, hostname }: FastifyRequest): boolean {
  if (Object.keys(headers).some((name) => FORWARDING.test(name))) return false;
  if (!isLoopback(clientAddress) || !isLoopback(socket.remoteAddress ?? '')) return false;
  const host = lowerAscii(hostname.replace(/^\[|\]$/g, ''));
  // RFC 6761 §6.3: these names are this machine.
  return host === 'localhost' || host.endsWith('.localhost') || isLoopback(host);
}

function isLoopback(address: string): boolean {
  return isWithin(address, LOOPBACK);
}
