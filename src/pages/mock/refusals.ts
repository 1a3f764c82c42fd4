import type { ProblemCode } from '../../client/specification.data.js';
import { textsIn } from '../../texts/language.js';
import { site } from '../site.js';
import { language } from '../text.js';
import { currentUser, save, state } from './state.ts';
import { type MockedRoute, refusal, Refused } from './typed-api.ts';
import type { User } from './user.ts';

/** The problems of the server, in the language of the page. */
const texts = textsIn(language).problems;

const titleOf = (code: ProblemCode): string => texts.titles[code];

/** Seconds of a rate limit. */
const PAUSE = 60;

/** The calls that need a recent proof of who the user is. */
const SENSITIVE: readonly MockedRoute[] = [
  'DELETE /users/me',
  'GET /users/me/export',
  'POST /email',
  'POST /passkeys/registration/options',
  'POST /passkeys/registration/verify',
  'PATCH /passkeys/{id}',
  'DELETE /passkeys/{id}',
  'POST /totp',
  'POST /totp/confirm',
  'DELETE /totp',
  'POST /recovery-codes',
];

/** Begins the pause of a rate limit. */
export function limit(): void {
  state.limitedUntil = Date.now() + PAUSE * 1000;
}

/** What every call meets before its own answer, by the situation that the controls chose. */
export async function meet(route: MockedRoute): Promise<Response | undefined> {
  if (state.situation === 'offline') return Response.error();
  if (state.situation === 'rate_limited') {
    const wait = Math.ceil((state.limitedUntil - Date.now()) / 1000);
    if (wait > 0)
      throw new Refused(
        refusal('rate_limited', 429, titleOf('rate_limited'), { 'violated-policies': ['login'] }, wait),
      );
    state.situation = 'normal';
    save();
  }
  if (route.includes(' /admin/') && signedIn().role !== 'admin') throw refused('forbidden', 403);
  if (state.situation === 'step_up' && (route.includes(' /admin/') || SENSITIVE.includes(route))) {
    signedIn();
    throw new Refused(refusal('step_up_required', 401, titleOf('step_up_required'), { action: 'step_up' }));
  }
  return undefined;
}

/** The user who is signed in. @throws Refused */
export function signedIn(): User {
  const user = currentUser();
  if (user) return user;
  throw new Refused(
    refusal('authentication_required', 401, titleOf('authentication_required'), { action: 'login' }),
  );
}

type Plain = 'forbidden' | 'not_found' | 'token_invalid' | 'email_taken' | 'last_admin' | 'totp_code_wrong';

/** A problem without members of its own. */
export function refused(
  code: Plain | 'reauthentication_failed' | 'no_second_factor',
  status: number,
): Refused {
  return new Refused(refusal(code, status, titleOf(code), {}));
}

export function wrongSignIn(code: 'invalid_credentials' | 'mfa_failed' | 'mfa_token_invalid'): Refused {
  return new Refused(refusal(code, 401, titleOf(code), { action: 'login' }));
}

export function secondFactorRequired(user: User): Refused {
  return new Refused(
    refusal('mfa_required', 401, titleOf('mfa_required'), {
      action: 'login',
      mfa_token: `mock_${user.id}`,
      factors: ['totp', 'recovery_code'],
    }),
  );
}

/** Refuses a short password, and one that begins with `wrong` as too common. @throws Refused */
export function checkNewPassword(password: string, path: string): void {
  const reason = password.length < site.passwordMin ? 'too_short' : isWrong(password) ? 'common' : null;
  if (reason === null) return;
  const text = texts.weakPassword[reason];
  const message = typeof text === 'string' ? text : text(site.passwordMin);
  throw new Refused(
    refusal('weak_password', 400, titleOf('weak_password'), { reason, errors: [{ path, message, reason }] }),
  );
}

export function checkCurrentPassword(password: string | undefined): void {
  if (password === undefined || !isWrong(password)) return;
  throw new Refused(
    refusal('current_password_wrong', 403, titleOf('current_password_wrong'), {
      errors: [{ path: 'current_password', message: titleOf('current_password_wrong') }],
    }),
  );
}

/** What a developer types to see a refusal: a password, code or token that begins with `wrong` or `000`. */
export function isWrong(typed: string): boolean {
  return /^(?:wrong|000)/i.test(typed);
}
