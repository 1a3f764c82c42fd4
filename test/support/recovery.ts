import { expect } from '@jest/globals';
import type { TestApp } from './app.js';
import { given } from './given.js';
import { mailTo } from './mailbox.js';
import { PASSWORD, signUp } from './strategies.js';

/** An account whose address is verified, as its row says. */
export async function verified(app: TestApp): Promise<string> {
  const email = await signUp(app);
  await given.verifiedEmail(app, email);
  return email;
}

/** The token of a mail that this requests. */
export async function resetToken(app: TestApp, email: string): Promise<string> {
  expect((await app.client.post('/password/forgot', { email })).status).toBe(202);
  return (await mailTo(app, email, 'reset_password')).token;
}

export const login = (app: TestApp, email: string, password = PASSWORD) =>
  app.client.post('/login', { email, password });
