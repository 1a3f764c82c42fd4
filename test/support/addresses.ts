import { type TestApp } from './app.js';
import { PASSWORD } from './strategies.js';

export const verify = (app: TestApp, token: unknown) => app.client.post('/email/verify', { token });

export const login = (app: TestApp, email: string, password = PASSWORD) =>
  app.client.post('/login', { email, password });

export interface Account {
  readonly id: string;
  readonly email: string;
  readonly is_verified: boolean;
  readonly password_hash: string;
}
