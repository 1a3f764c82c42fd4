import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startApp, type TestApp } from './support/app.js';
import { freshEmail, PASSWORD, STRATEGIES } from './support/strategies.js';

describe.each(STRATEGIES)(
  'the original flow with AUTH_STRATEGY=$strategy',
  ({ strategy, issues, credentialOf }) => {
    let app: TestApp;
    beforeAll(async () => {
      app = await startApp({ env: { AUTH_STRATEGY: strategy } });
    });
    afterAll(() => app.close());

    it('signs up, signs in, says who it is, signs out, and the credential is dead', async () => {
      const credentials = { email: freshEmail(), password: PASSWORD };
      const signup = await app.client.post('/signup', credentials);
      expect(signup.status).toBe(201);
      expect(signup.body).toEqual({
        id: expect.stringMatching(/^[0-9a-f-]{36}$/),
        message: 'Signup successful',
      });

      const login = await app.client.post('/login', credentials);
      expect(login.status).toBe(200);
      expect(login.body).toMatchObject({
        success: true,
        email: credentials.email,
        session: { id: expect.any(String), strategy: issues },
      });

      const client = app.client.with(credentialOf(login));
      expect((await client.get('/me')).body).toEqual({ logged_in: true, email: credentials.email });
      const logout = await client.post('/logout');
      expect(logout.status).toBe(200);
      expect(logout.body).toEqual({ logged_in: false });
      expect((await client.get('/me')).body).toEqual({ logged_in: false, action: 'login' });
      expect((await client.get('/users/me')).status).toBe(401);
    });
  },
);
