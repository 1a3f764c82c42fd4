/** Uses the clients of any strategy as an application would. It is compiled, never run. */
import * as hey from './hey';
import * as orval from './orval';
import type { components, paths } from './types';

type Schemas = components['schemas'];
type Refusal = paths['/login']['post']['responses'][401]['content']['application/problem+json'];

const CREDENTIALS = { email: 'test@example.com', password: 'yourlongpassphrase' };

export const known: {
  userVerification: Schemas['PasskeyRequestOptions']['userVerification'];
  residentKey: Schemas['PasskeyCreationOptions']['authenticatorSelection']['residentKey'];
  transports: Schemas['Passkey']['transports'];
  hints: Schemas['PasskeyCreationOptions']['hints'];
  strategy: Schemas['SessionView']['strategy'];
  kind: Schemas['Event']['kind'];
} = {
  userVerification: 'required',
  residentKey: 'preferred',
  transports: ['hybrid', 'internal'],
  hints: ['security-key'],
  strategy: 'session',
  kind: 'login',
};
// @ts-expect-error: there is no such requirement
export const unknownRequirement: Schemas['PasskeyRequestOptions']['userVerification'] = 'always';
// @ts-expect-error: there is no such kind of event
export const unknownKind: hey.Event['kind'] = 'logged_in';
// @ts-expect-error: there is no such role
export const unknownRole: orval.Account['role'] = 'root';

/** The code tells which members an error has. */
export function nextStep(refusal: Refusal | hey.LoginErrors[401] | orval.loginResponse401['data']): string {
  switch (refusal.code) {
    case 'mfa_required':
      return `${refusal.mfa_token} ${refusal.factors.join(' or ')}`;
    case 'invalid_credentials':
      return refusal.detail;
    case 'password_change_required':
      return refusal.action;
    default:
      return unreachable(refusal);
  }
}

export async function withOrval(): Promise<string> {
  const login = await orval.login({ ...CREDENTIALS, transport: 'bearer' });
  if (login.status === 401) return nextStep(login.data);
  if (login.status !== 200) return login.data.code;
  const device = login.data.session;
  const exported = await orval.exportAccount();
  const rows = exported.status === 200 ? exported.data.sessions : [];
  const me = await orval.getMe();
  if (me.status === 200 && me.data.logged_in) return me.data.email;
  return `${device.strategy} ${String(rows[0]?.['id'])}`;
}

export async function withHeyApi(): Promise<string> {
  const { data, error } = await hey.login({ body: CREDENTIALS });
  if (error) return error.code;
  const exported = await hey.exportAccount();
  const events = await hey.listEvents({ query: { limit: 20 } });
  const [event] = events.data?.events ?? [];
  return `${data?.session.strategy} ${event?.kind} ${exported.data?.passkeys.length}`;
}

function unreachable(refusal: never): never {
  throw new Error(`unknown code: ${JSON.stringify(refusal)}`);
}
