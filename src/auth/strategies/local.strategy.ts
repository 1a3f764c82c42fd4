import { Injectable } from '@nestjs/common';
import { PassportStrategy } from '@nestjs/passport';
import { Strategy } from 'passport-local';
import { UsersService, type VerifiedUser } from '../../users/users.service.js';
import { unregistered } from '../credentials/unregistered.js';

/** An address and a password, as passport-local reads them from a request. */
export interface PasswordCredential {
  readonly body: { readonly email: string; readonly password: string };
  /** `no` for a guess that was not admitted: it is refused with the same cost. */
  readonly evaluate: 'yes' | 'no';
}

/**
 * passport-local refuses an empty password before it computes a hash, which would show in the time: this mark
 * prevents an empty one.
 */
const MARK = '=';

/** The request for Passport with an address and a password, which can be empty. */
export function passwordCredential(
  email: string,
  password: string,
  evaluate: 'yes' | 'no',
): PasswordCredential {
  return { body: { email, password: `${MARK}${password}` }, evaluate };
}

/** The Passport strategy of passwords: success with the user, fail without a reason. */
@Injectable()
export class LocalStrategy extends PassportStrategy(Strategy) {
  override readonly name = 'local';

  constructor(private readonly users: UsersService) {
    super({ usernameField: 'email', passwordField: 'password', passReqToCallback: true });
  }

  getPassportInstance() {
    return unregistered;
  }

  async validate(
    { evaluate }: PasswordCredential,
    email: string,
    marked: string,
  ): Promise<VerifiedUser | false> {
    return (await this.users.verifyPassword(email, marked.slice(MARK.length), evaluate)) ?? false;
  }
}
