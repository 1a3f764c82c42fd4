import { describe, expect, it } from '@jest/globals';
import { clientNetwork } from '../../src/platform/throttle/client-network.js';

describe('the network of a client address', () => {
  it.each([
    ['203.0.113.7', '203.0.113.7'],
    ['203.0.113.7:1234', '203.0.113.7'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['::ffff:cb00:7107', '203.0.113.7'],
    ['64:ff9b::203.0.113.7', '203.0.113.7'],
    ['2002:cb00:7107::1', '203.0.113.7'],
  ])('of %s is the IPv4 address %s [L10, incident 14]', (address, network) => {
    expect(clientNetwork(address)).toBe(network);
  });

  it('is one for all spellings and hosts of an IPv6 /64 [L10, incident 14]', () => {
    const spellings = [
      '2001:db8:0:1::1',
      '2001:0db8:0000:0001:0000:0000:0000:0001',
      '2001:DB8:0:1:ffff:ffff:ffff:ffff',
      '[2001:db8:0:1::1]:443',
      '2001:db8:0:1::1%eth0',
    ];
    expect(new Set(spellings.map(clientNetwork)).size).toBe(1);
    expect(clientNetwork('2001:db8:0:2::1')).not.toBe(clientNetwork('2001:db8:0:1::1'));
  });
});
