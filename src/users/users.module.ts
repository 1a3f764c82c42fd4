import { Module } from '@nestjs/common';
import { Purger } from '../platform/retention/purger.service.js';
import { OneTimeTokens, expiredOneTimeTokens } from './one-time-tokens/one-time-tokens.service.js';
import { TokenMails } from './one-time-tokens/token-mails.service.js';
import { VerificationMails } from './one-time-tokens/verification-mails.service.js';
import { AnswerFloor } from './passwords/answer-floor.service.js';
import { BreachedPasswords } from './passwords/breached-passwords.service.js';
import { HashingQueue } from './passwords/hashing-queue.service.js';
import { PasswordChanges } from './passwords/password-changes.service.js';
import { PasswordFormats } from './passwords/password-formats.service.js';
import { PasswordHasher } from './passwords/password-hasher.service.js';
import { PasswordPolicy } from './passwords/password-policy.service.js';
import { SignUp } from './sign-up.service.js';
import { UsersController } from './users.controller.js';
import { UsersService } from './users.service.js';

/** Users: accounts, passwords, mailed tokens and import. */
@Module({
  controllers: [UsersController],
  providers: [
    UsersService,
    HashingQueue,
    PasswordFormats,
    AnswerFloor,
    PasswordHasher,
    BreachedPasswords,
    PasswordPolicy,
    PasswordChanges,
    SignUp,
    OneTimeTokens,
    TokenMails,
    VerificationMails,
  ],
  exports: [UsersService, PasswordChanges, OneTimeTokens, TokenMails, VerificationMails],
})
export class UsersModule {
  constructor(purger: Purger) {
    purger.add(expiredOneTimeTokens());
  }
}
