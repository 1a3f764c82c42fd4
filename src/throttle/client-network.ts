import ipaddr from 'ipaddr.js';
import { LRUCache } from 'lru-cache';

/** `203.0.113.7:1234` and `[2001:db8::1]:443`: some proxies add the port. */
const WITH_PORT = /^(?:\[(?<v6>[^\]]+)\](?::\d{1,5})?|(?<v4>\d+(?:\.\d+){3}):\d{1,5})$/;

/** IPv6 networks that carry an IPv4 address, and the byte it begins at: NAT64 (RFC 6052), 6to4 (RFC 3056). */
const CARRIERS = [
  { network: ipaddr.IPv6.parseCIDR('64:ff9b::/96'), start: 12 },
  { network: ipaddr.IPv6.parseCIDR('2002::/16'), start: 2 },
];

/** Addresses whose network was worked out a moment ago: a client seldom sends one request. */
const known = new LRUCache<string, string>({ max: 10_000 });

/**
 * What stands for a client in rate limits: its IPv4 address, or the /64 of its IPv6 address, which is what a
 * provider hands out. However an address is spelled (mapped, translated, compressed, with a zone or a port), it
 * gives one text.
 */
export function clientNetwork(address: string): string {
  let network = known.get(address);
  if (network === undefined) {
    network = networkOf(address);
    known.set(address, network);
  }
  return network;
}

function networkOf(address: string): string {
  const { v4, v6 } = WITH_PORT.exec(address)?.groups ?? {};
  const text = v4 ?? v6 ?? address;
  if (!ipaddr.isValid(text)) return 'unknown';
  const parsed = ipaddr.process(text);
  if (parsed instanceof ipaddr.IPv4) return parsed.toString();
  const bytes = parsed.toByteArray();
  const carrier = CARRIERS.find(({ network }) => parsed.match(network));
  if (carrier) return ipaddr.fromByteArray(bytes.slice(carrier.start, carrier.start + 4)).toString();
  return `${ipaddr.fromByteArray(bytes.fill(0, 8)).toString()}/64`;
}
