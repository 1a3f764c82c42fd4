import { describe, expect, it } from '@jest/globals';
import { createClient } from '../../src/client/client.entry.js';
import { onServer } from '../support/database.js';

const baseUrl = 'https://auth.example.com:8443';

// No database takes part.
(onServer ? describe.skip : describe)('the client in a mobile application', () => {
  it('ends requests after the timeout where AbortSignal.timeout is missing', async () => {
    const native = Object.getOwnPropertyDescriptor(AbortSignal, 'timeout');
    Reflect.deleteProperty(AbortSignal, 'timeout');
    try {
      const hanging: typeof fetch = (_input, init) =>
        new Promise((_resolve, reject) => {
          init?.signal?.addEventListener('abort', () => reject(new Error('aborted')));
        });
      const client = createClient({ baseUrl, fetch: hanging, timeout: 20 });
      const cause = { message: 'aborted' };
      await expect(client.me()).rejects.toMatchObject({ code: 'network_error', status: 0, cause });
    } finally {
      if (native) Object.defineProperty(AbortSignal, 'timeout', native);
    }
  });

  it('keeps its credential under a key that the storages of phones allow', async () => {
    const keys = new Set<string>();
    const storage = {
      get: (key: string) => void keys.add(key),
      set: (key: string) => keys.add(key),
      remove: (key: string) => keys.add(key),
    };
    const session = { id: '1', strategy: 'jwt' };
    const answer = () => Promise.resolve(Response.json({ email: 'a', session, access_token: 't' }));
    const client = createClient({ baseUrl, storage, fetch: answer });
    await client.signIn({ email: 'a', password: 'p' });
    // SecureStore of Expo refuses all other characters.
    expect([...keys]).toEqual([expect.stringMatching(/^traffy\.[\w.-]+\.example\.com[\w.-]+$/)]);
  });
});
