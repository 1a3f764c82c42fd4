import { type Client, type Reply } from './client.js';
import { type Operation } from './specification.js';
import { freshEmail, PASSWORD } from './strategies.js';

/** The codes that an operation is documented to answer; those of OAuth stand for several statuses each. */
export function codesOf({ responses }: Operation): Set<string> {
  return new Set(
    Object.entries(responses).flatMap(([status, { content }]) => [
      ...Object.keys(content?.['application/problem+json']?.examples ?? {}),
      ...(Number(status) >= 400
        ? Object.keys(content?.['application/json']?.examples ?? {}).map((error) => `${status} ${error}`)
        : []),
    ]),
  );
}

export function codeOf({ status, body }: Reply): string {
  if (typeof body['error'] === 'string') return `${status} ${body['error']}`;
  return (body['code'] as string | undefined) ?? 'success';
}

export const OAUTH: readonly string[] = ['/introspect', '/revoke'];

const FORM = { 'content-type': 'application/x-www-form-urlencoded' };

/** The form of a service client that does not exist. */
const NOBODY = `token=x&client_id=${crypto.randomUUID()}&client_secret=x`;

/** Of the form that is looked up, and of nobody. */
const MAILED_TOKEN = `trf_ot_${'A'.repeat(43)}`;

/** Bodies that are well-formed. */
const SAMPLES: Readonly<Record<string, object>> = {
  '/password/forgot': { email: 'test@example.com' },
  '/password/reset': { token: MAILED_TOKEN, new_password: PASSWORD },
  '/email/verify': { token: MAILED_TOKEN },
  '/mfa': { mfa_token: 'trf_mt_nothing', code: '123456' },
};

/** Calls an operation in a way that is well-formed. */
export function send(
  client: Client,
  name: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Reply> {
  const [method = '', path = ''] = name.split(' ');
  const url = path.replace('{id}', '019a0000-0000-7000-8000-000000000002');
  if (method === 'get') return client.get(url, headers);
  if (method === 'delete') return client.send('DELETE', url, body, headers);
  if (method === 'patch') return client.send('PATCH', url, body, headers);
  if (OAUTH.includes(url)) return client.send('POST', url, body ?? NOBODY, { ...FORM, ...headers });
  const sample = ['/signup', '/login'].includes(url)
    ? { email: freshEmail(), password: PASSWORD }
    : SAMPLES[url];
  return client.post(url, body ?? sample, headers);
}
