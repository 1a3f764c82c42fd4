import { createHmac } from 'node:crypto';
import { sql } from 'kysely';
import type { TestApp } from './app.js';
import type { Client, Reply } from './client.js';
import { PASSWORD, type SignedIn, signIn, strategyOf } from './strategies.js';

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const PERIOD = 30;

/** The code of a time step, worked out as RFC 4226 §5.3 says and not by the library that the service has. */
export function codeAt(secret: string, step: number): string {
  const bits = [...secret].map((letter) => BASE32.indexOf(letter).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const digest = createHmac('sha1', key).update(counter).digest();
  const offset = (digest.at(-1) ?? 0) & 15;
  return String((digest.readUInt32BE(offset) & 0x7fff_ffff) % 1_000_000).padStart(6, '0');
}

/** The time step of now by the database's clock, with a few seconds left of it. */
export async function stepOfNow(app: TestApp): Promise<number> {
  for (;;) {
    const [row] = await app.query(
      sql<{ now: number }>`select extract(epoch from clock_timestamp())::float8 as now`,
    );
    const now = row?.now ?? 0;
    if (now % PERIOD < PERIOD - 4) return Math.floor(now / PERIOD);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

/** The code of now, and a wrong one. */
export async function codeOfNow(app: TestApp, secret: string): Promise<string> {
  return codeAt(secret, await stepOfNow(app));
}

/** Six digits that are not the code of any step around now. */
export async function wrongCode(app: TestApp, secret: string): Promise<string> {
  const step = await stepOfNow(app);
  const near = [-2, -1, 0, 1, 2].map((offset) => codeAt(secret, step + offset));
  return (
    ['000000', '111111', '222222', '333333', '444444', '555555'].find((code) => !near.includes(code)) ?? ''
  );
}

/** Lets codes be used again, as if the time for the next had come. */
export async function forgetSteps(app: TestApp): Promise<void> {
  await app.query(sql`update totp_authenticators set last_step = 0`);
}

/** Adds an authenticator app to an account, and gives its secret. Its codes so far may be used again. */
export async function addTotp(app: TestApp, client: Client): Promise<string> {
  const { secret } = (await client.post('/totp')).body;
  const reply = await client.post('/totp/confirm', { code: await codeOfNow(app, secret) });
  if (reply.status !== 204) throw new Error(`the authenticator was not confirmed: ${reply.text}`);
  await forgetSteps(app);
  return secret as string;
}

/** Adds recovery codes to an account with a second factor. */
export async function addRecoveryCodes(client: Client): Promise<string[]> {
  const reply = await client.post('/recovery-codes');
  if (reply.status !== 200) throw new Error(`there are no recovery codes: ${reply.text}`);
  return reply.body['codes'] as string[];
}

/** A user with an authenticator app, whose session is older than the app. */
export interface Enrolled extends SignedIn {
  readonly secret: string;
}

/** A fresh account with an authenticator app. */
export async function enrolled(app: TestApp): Promise<Enrolled> {
  const signedIn = await signIn(app);
  return { ...signedIn, secret: await addTotp(app, signedIn.client) };
}

/** The `mfa_token` of a sign-in with the right password. */
export async function mfaToken(app: TestApp, email: string, body: object = {}): Promise<string> {
  const reply = await app.client.post('/login', { email, password: PASSWORD, ...body });
  if (reply.body['code'] !== 'mfa_required') throw new Error(`no second factor was asked for: ${reply.text}`);
  return reply.body['mfa_token'] as string;
}

/** Signs in with the password and the code of now, whether it was used before or not. */
export async function signInByTotp(app: TestApp, { email, secret }: Enrolled): Promise<SignedIn> {
  await forgetSteps(app);
  const mfa_token = await mfaToken(app, email);
  const reply = await app.client.post('/mfa', { mfa_token, code: await codeOfNow(app, secret) });
  return signedInBy(app, email, reply);
}

/** The session of a reply that signs in. */
export function signedInBy(app: TestApp, email: string, reply: Reply): SignedIn {
  if (reply.status !== 200) throw new Error(`sign-in failed: ${reply.text}`);
  const headers = strategyOf(app).credentialOf(reply);
  return { email, reply, headers, client: app.client.with(headers), sessionId: reply.body['session'].id };
}
