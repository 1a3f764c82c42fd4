import { describe, expect, it } from '@jest/globals';
import { presentedClient } from '../../src/services/client-authentication.js';

const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;

describe('client authentication', () => {
  it.each([
    ['Basic', basic('id:secret'), {}, { id: 'id', secret: 'secret' }],
    ['Basic with an encoded colon', basic('a%3Ab:s%25'), {}, { id: 'a:b', secret: 's%' }],
    ['another case of the scheme', basic('id:s').replace('Basic', 'bAsIc'), {}, { id: 'id', secret: 's' }],
    ['the form', undefined, { client_id: 'id', client_secret: 's' }, { id: 'id', secret: 's' }],
    ['Basic and the same id in the form', basic('id:s'), { client_id: 'id' }, { id: 'id', secret: 's' }],
  ])('reads %s [B4]', (_what, authorization, form, client) => {
    expect(presentedClient(authorization, form)).toEqual(client);
  });

  it.each([
    ['two methods', basic('id:s'), { client_id: 'id', client_secret: 's' }, 'ambiguous'],
    ['two clients', basic('id:s'), { client_id: 'other' }, 'ambiguous'],
    ['no colon', basic('id'), {}, 'none'],
    ['invalid base64', 'Basic ***', {}, 'none'],
    ['invalid UTF-8', `Basic ${Buffer.from([0xff, 0x3a, 0x41]).toString('base64')}`, {}, 'none'],
    ['a malformed escape', basic('id:%zz'), {}, 'none'],
    ['an id alone', undefined, { client_id: 'id' }, 'none'],
    ['a bearer token', 'Bearer x', {}, 'none'],
  ])('refuses %s [B4]', (_what, authorization, form, result) => {
    expect(presentedClient(authorization, form)).toBe(result);
  });
});
