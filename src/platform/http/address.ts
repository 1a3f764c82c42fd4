import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/** An address in brackets, or an IPv4 address, with the port that some proxies add. */
const WITH_PORT = /^(?:\[([0-9A-Fa-f:.]+(?:%[^\]]+)?)\](?::\d{1,5})?|(\d{1,3}(?:\.\d{1,3}){3}):\d{1,5})$/;
/** An IPv6 address with a port or a zone is shorter. */
const LENGTH_MAX = 100;

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** A network: its first address and the length of its prefix. */
export type AddressRange = [Address, number];

/**
 * Returns the one spelling of an address that is stored, logged and counted: without port, brackets and zone, IPv6 as
 * in RFC 5952, an IPv4-mapped IPv6 address as IPv4. Null for all that is not one address: names, `unknown`,
 * obfuscated identifiers (RFC 7239 §6.3), octal or shortened IPv4.
 */
export function canonicalAddress(text: string): string | null {
  return parseAddress(text)?.toString() ?? null;
}

/** Whether a text is a network with the length of its prefix, such as `203.0.113.0/24`. */
export function isAddressRange(text: string): boolean {
  return isIP(text.split('/', 1)[0] ?? '') !== 0 && ipaddr.isValidCIDR(text);
}

/** The network of `203.0.113.0/24` or of a single address. IPv4-mapped networks are IPv4, like addresses. */
export function addressRange(network: string): AddressRange {
  const [first, bits] = network.includes('/') ? ipaddr.parseCIDR(network) : wholeAddress(network);
  const isMapped = first instanceof ipaddr.IPv6 && first.isIPv4MappedAddress() && bits >= 96;
  return isMapped ? [first.toIPv4Address(), bits - 96] : [first, bits];
}

/** Whether an address, in any spelling, is in one of these networks. */
export function isWithin(text: string, ranges: readonly AddressRange[]): boolean {
  const address = parseAddress(text);
  if (address === null) return false;
  return ranges.some((range) => address.kind() === range[0].kind() && address.match(range));
}

function parseAddress(text: string): Address | null {
  if (text.length > LENGTH_MAX) return null;
  const [, bracketed, withPort] = WITH_PORT.exec(text) ?? [];
  const address = withPort ?? bracketed ?? text;
  // The library also accepts octal, hexadecimal and shortened IPv4 addresses.
  const family = isIP(address);
  if (family === 0 || (bracketed !== undefined && family !== 6)) return null;
  return ipaddr.process(address.split('%', 1)[0] ?? '');
}

function wholeAddress(text: string): AddressRange {
  const address = ipaddr.process(text);
  return [address, address instanceof ipaddr.IPv4 ? 32 : 128];
}
