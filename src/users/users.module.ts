import { Module } from '@nestjs/common';
import { Sweeper } from '../sweep/sweeper.service.js';
import { OneTimeTokens, oldOneTimeTokens } from './one-time-tokens/one-time-tokens.service.js';
import { AnswerFloor } from './passwords/answer-floor.service.js';
import { BreachedPasswords } from './passwords/breached-passwords.service.js';
import { HashingQueue } from './passwords/hashing-queue.service.js';
import { PasswordChanges } from './passwords/password-changes.service.js';
import { PasswordFormats } from './passwords/password-formats.service.js';
import { PasswordHasher } from './passwords/password-hasher.service.js';
import { PasswordPolicy } from './passwords/password-policy.service.js';
import { SignUps } from './sign-ups.service.js';
import { UsersController } from './users.controller.js';
import { UsersService } from './users.service.js';

/** Who people are. */
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
    SignUps,
    OneTimeTokens,
  ],
  exports: [UsersService, PasswordChanges, OneTimeTokens],
})
export class UsersModule {
  constructor(sweeper: Sweeper) {
    sweeper.add(oldOneTimeTokens());
  }
}
