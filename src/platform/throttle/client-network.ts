import ipaddr from 'ipaddr.js';
import { LRUCache } from 'lru-cache';
import { canonicalAddress } from '../http/address.js';

/** IPv6 networks that embed an IPv4 address, and the byte where it begins: NAT64 (RFC 6052), 6to4 (RFC 3056). */
const CARRIERS = [
  { network: ipaddr.IPv6.parseCIDR('64:ff9b::/96'), start: 12 },
  { network: ipaddr.IPv6.parseCIDR('2002::/16'), start: 2 },
];

/** Cache of recent addresses: clients usually send several requests. */
const known = new LRUCache<string, string>({ max: 10_000 });

/**
 * Returns the network that rate limits count for a client: the IPv4 address, or the /64 of the IPv6 address that a
 * provider assigns. All spellings of an address (mapped, translated, compressed, with zone or port) give the same
 * text.
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
  const canonical = canonicalAddress(address);
  if (canonical === null) return 'unknown';
  const parsed = ipaddr.parse(canonical);
  if (parsed instanceof ipaddr.IPv4) return canonical;
  const bytes = parsed.toByteArray();
  const carrier = CARRIERS.find(({ network }) => parsed.match(network));
  if (carrier) return ipaddr.fromByteArray(bytes.slice(carrier.start, carrier.start + 4)).toString();
  return `${ipaddr.fromByteArray(bytes.fill(0, 8)).toString()}/64`;
}
