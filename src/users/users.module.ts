import { Module } from '@nestjs/common';
import { PasswordHasher } from './passwords/password-hasher.service.js';
import { PasswordPolicy } from './passwords/password-policy.service.js';
import { UsersController } from './users.controller.js';
import { UsersService } from './users.service.js';

/** Who people are. */
@Module({
  controllers: [UsersController],
  providers: [UsersService, PasswordHasher, PasswordPolicy],
  exports: [UsersService],
})
export class UsersModule {}
