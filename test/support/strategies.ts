import { type Client, cookieValue, type Reply } from './client.js';
import type { TestApp } from './app.js';

export const PASSWORD = 'yourlongpassphrase';

/** How a signed-in client looks to the rest of a test, whatever the strategy. */
export interface SignedIn {
  readonly email: string;
  readonly reply: Reply;
  /** The headers that carry the credential. */
  readonly headers: Readonly<Record<string, string>>;
  readonly client: Client;
  readonly sessionId: string;
}

interface Carrier {
  readonly issues: 'session' | 'jwt';
  /** The headers that carry the credential that a sign-in answered with. */
  credentialOf(reply: Reply): Record<string, string>;
}

const COOKIE: Carrier = {
  issues: 'session',
  credentialOf: (reply) => ({ cookie: `session=${cookieValue(reply, 'session')}` }),
};
const TOKENS: Carrier = {
  issues: 'jwt',
  credentialOf: (reply) => ({ authorization: `Bearer ${reply.body['access_token']}` }),
};

/**
 * The four values of AUTH_STRATEGY and all that differs between them: how the credential travels, and which kinds
 * are accepted. Nothing else may differ, and no test may look at the strategy but through this table.
 */
export const STRATEGIES = [
  { strategy: 'session', accepts: ['session'], ...COOKIE },
  { strategy: 'session,jwt', accepts: ['session', 'jwt'], ...COOKIE },
  { strategy: 'jwt,session', accepts: ['session', 'jwt'], ...TOKENS },
  { strategy: 'jwt', accepts: ['jwt'], ...TOKENS },
] as const;

export type StrategyCase = (typeof STRATEGIES)[number];

/** The row of an application's strategy. */
export function strategyOf(app: TestApp): StrategyCase {
  const value = app.config.auth.AUTH_STRATEGY.join(',');
  const found = STRATEGIES.find(({ strategy }) => strategy === value);
  if (!found) throw new Error(`no strategy ${value}`);
  return found;
}

let counter = 0;

/** An address that no other test has. */
export function freshEmail(): string {
  counter += 1;
  return `person${counter}.${process.pid}.${Date.now()}@example.com`;
}

/** Makes an account. */
export async function signUp(app: TestApp, email = freshEmail(), password = PASSWORD): Promise<string> {
  const reply = await app.client.post('/signup', { email, password });
  if (reply.status !== 201) throw new Error(`sign-up failed: ${reply.text}`);
  return email;
}

/** Signs in to an account, a fresh one by default. */
export async function signIn(
  app: TestApp,
  email?: string,
  password = PASSWORD,
  more: Readonly<Record<string, string>> = {},
): Promise<SignedIn> {
  const address = email ?? (await signUp(app, undefined, password));
  const reply = await app.client.post('/login', { email: address, password }, more);
  if (reply.status !== 200) throw new Error(`sign-in failed: ${reply.text}`);
  const headers = strategyOf(app).credentialOf(reply);
  return {
    email: address,
    reply,
    headers,
    client: app.client.with(headers),
    sessionId: reply.body['session'].id,
  };
}

/** The access token of a sign-in where tokens are issued. */
export function accessTokenOf({ reply }: SignedIn): string {
  return reply.body['access_token'] as string;
}
