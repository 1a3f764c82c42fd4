/** Uses the clients of the union, which work in every strategy: tokens are there or not. It is compiled, never run. */
import * as hey from './hey';
import * as orval from './orval';
import type { components, paths } from './types';

const CREDENTIALS = { email: 'test@example.com', password: 'yourlongpassphrase' };

type Optional<T, Name extends keyof T> = Pick<T, Name> extends Required<Pick<T, Name>> ? never : true;
export const mayBeAbsent: {
  accessToken: Optional<components['schemas']['LoginReply'], 'access_token'>;
  refreshToken: Optional<hey.LoginReply, 'refresh_token'>;
  expiresIn: Optional<orval.LoginReply, 'expires_in'>;
} = { accessToken: true, refreshToken: true, expiresIn: true };

type RefreshRefusal = paths['/refresh']['post']['responses'][401]['content']['application/problem+json'];
export const reused: RefreshRefusal['code'] = 'refresh_reused';
// @ts-expect-error: a refresh token has other codes
export const foreign: RefreshRefusal['code'] = 'invalid_credentials';

/** The header of further calls: of a browser with a cookie, nothing. */
export async function authorization(): Promise<string | undefined> {
  const login = await orval.login(CREDENTIALS);
  if (login.status !== 200) throw new Error(login.data.code);
  const { access_token: token, token_type: type } = login.data;
  return token === undefined ? undefined : `${type} ${token}`;
}

export async function renew(refreshToken: string): Promise<string | undefined> {
  const { data, error } = await hey.refresh({ body: { refresh_token: refreshToken } });
  if (error && 'code' in error && error.code === 'refresh_reused') throw new Error(error.action);
  return data?.access_token;
}
