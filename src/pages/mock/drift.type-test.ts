/*
 * Mocks that differ from the specification must not compile: `npm run types` fails where a line below compiles after
 * all. Nothing here runs.
 */
import { HttpResponse } from 'msw/http';
import { type Mock, type Mocks, refusal } from './typed-api.ts';

const right: Mock<'GET /me'> = ({ reply }) => reply(200, { logged_in: true, email: 'ada@example.com' });

const drifts = {
  // @ts-expect-error a member is missing
  missing: (({ reply }) => reply(200, { logged_in: true })) satisfies Mock<'GET /me'>,
  // @ts-expect-error the member has another name
  renamed: (({ reply }) => reply(200, { logged_in: true, mail: 'a@example.com' })) satisfies Mock<'GET /me'>,
  // @ts-expect-error there is no such member
  added: (({ reply }) => reply(200, { logged_in: false, name: 'Ada' })) satisfies Mock<'GET /me'>,
  // @ts-expect-error the member has another type
  retyped: (({ reply }) => reply(200, { ended: '3' })) satisfies Mock<'DELETE /admin/users/{id}/sessions'>,
  // @ts-expect-error the call has another status
  status: (({ reply }) => reply(200)) satisfies Mock<'DELETE /totp'>,
  // @ts-expect-error the reply has no body
  body: (({ reply }) => reply(204, { done: true })) satisfies Mock<'DELETE /totp'>,
  // @ts-expect-error only `reply` and `refusal` answer
  raw: (() => HttpResponse.json({ logged_in: false })) satisfies Mock<'GET /me'>,
  // @ts-expect-error the request has no such member
  request: (({ body, reply }) => (void body.mail, reply(202))) satisfies Mock<'POST /password/forgot'>,
};

// @ts-expect-error there is no such call
const unknown: Mock<'GET /whoami'> = right;
// @ts-expect-error a call has no answer
const incomplete: Mocks = { 'GET /me': right };
// @ts-expect-error there is no such code
const code = refusal('too_tired', 401, '', {});
// @ts-expect-error this code comes with factors and a token
const members = refusal('mfa_required', 401, '', { action: 'login' });

export { code, drifts, incomplete, members, unknown };
