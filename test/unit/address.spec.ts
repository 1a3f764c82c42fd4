import { describe, expect, it } from '@jest/globals';
import { addressRange, canonicalAddress, isAddressRange, isWithin } from '../../src/platform/http/address.js';

describe('the canonical spelling of an address', () => {
  it.each([
    ['203.0.113.7', '203.0.113.7'],
    ['203.0.113.7:51234', '203.0.113.7'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['::FFFF:cb00:7107', '203.0.113.7'],
    ['[::ffff:203.0.113.7]:443', '203.0.113.7'],
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['[2001:db8::1]', '2001:db8::1'],
    ['[2001:db8::1]:443', '2001:db8::1'],
    ['fe80::1%eth0', 'fe80::1'],
    ['[fe80::1%25eth0]:443', 'fe80::1'],
  ])('of %s is %s [L10, incident 14]', (text, canonical) => {
    expect(canonicalAddress(text)).toBe(canonical);
    expect(canonicalAddress(canonical)).toBe(canonical);
  });

  it.each([
    ['', 'unknown', '_hidden', 'localhost', 'example.com:80', '203.0.113.7, 203.0.113.8'],
    ['203.0.113', '203.0.113.256', '0203.0.113.7', '0x7f.0.0.1', '2130706433', '203.0.113.7.9'],
    ['203.0.113.7:', '203.0.113.7:123456', '203.0.113.7:x', '203.0.113.7%eth0', '[203.0.113.7]:1'],
    ['[2001:db8::1', '2001:db8::1]', '2001:db8:::1', '[2001:db8::1]x', '\u0662\u0660\u0663.0.113.7'],
    [' 203.0.113.7', '203.0.113.7\u00a0', `fe80::1%${'x'.repeat(200)}`, '203.0.113.0/24'],
  ])('does not exist for %j, %j, %j and others [L10, incident 14]', (...texts) => {
    for (const text of texts) expect(canonicalAddress(text)).toBeNull();
  });
});

describe('a network', () => {
  it('holds every spelling of its addresses', () => {
    for (const network of ['203.0.113.0/24', '::ffff:203.0.113.0/120', '203.0.113.7'])
      for (const address of ['203.0.113.7', '203.0.113.7:51234', '::ffff:203.0.113.7'])
        expect(isWithin(address, [addressRange(network)])).toBe(true);
    expect(isWithin('fe80::1%eth0', [addressRange('fe80::/16')])).toBe(true);
    expect(isWithin('203.0.114.7', [addressRange('203.0.113.0/24')])).toBe(false);
    expect(isWithin('2001:db8::1', [addressRange('203.0.113.0/24')])).toBe(false);
    expect(isWithin('unknown', [addressRange('203.0.113.0/24')])).toBe(false);
  });

  it('has an address in full and a length', () => {
    expect(['203.0.113.0/24', '2001:db8::/32'].every(isAddressRange)).toBe(true);
    expect(['203.0.113.0', '203/8', '203.0.113.0/33', '2001:db8::/x', ''].some(isAddressRange)).toBe(false);
  });
});
