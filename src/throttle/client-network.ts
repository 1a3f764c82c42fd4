import ipaddr from 'ipaddr.js';

/**
 * What stands for a client in rate limits: its IPv4 address, or the /64 of its IPv6 address, which is what a
 * provider hands out. However an address is spelled (mapped, compressed, with a zone), it gives one text.
 */
export function clientNetwork(address: string): string {
  if (!ipaddr.isValid(address)) return 'unknown';
  const parsed = ipaddr.process(address);
  if (parsed.kind() === 'ipv4') return parsed.toString();
  const bytes = parsed.toByteArray().fill(0, 8);
  return `${ipaddr.fromByteArray(bytes).toString()}/64`;
}
