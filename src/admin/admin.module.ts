import { Module } from '@nestjs/common';
import { AccountModule } from '../account/account.module.js';
import { ContainmentModule } from '../auth/containment/containment.module.js';
import { CredentialsModule } from '../auth/credentials/credentials.module.js';
import { SessionsModule } from '../auth/sessions/sessions.module.js';
import { UsersModule } from '../users/users.module.js';
import { AdminAuditController } from './admin-audit.controller.js';
import { AdminLock } from './admin-lock.service.js';
import { AdminSessionsController } from './admin-sessions.controller.js';
import { AdminUsersController } from './admin-users.controller.js';
import { SessionAdministration } from './session-administration.service.js';
import { UserAdministrationService } from './user-administration.service.js';

/** Administration of accounts. Exports nothing. */
@Module({
  imports: [UsersModule, ContainmentModule, CredentialsModule, SessionsModule, AccountModule],
  controllers: [AdminUsersController, AdminAuditController, AdminSessionsController],
  providers: [AdminLock, UserAdministrationService, SessionAdministration],
})
export class AdminModule {}
