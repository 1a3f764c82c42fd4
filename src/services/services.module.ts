import { Module } from '@nestjs/common';
import { ContainmentModule } from '../auth/containment/containment.module.js';
import { CredentialsModule } from '../auth/credentials/credentials.module.js';
import { KeysModule } from '../auth/keys/keys.module.js';
import { SessionsModule } from '../auth/sessions/sessions.module.js';
import { ForwardAuthController } from './forward-auth.controller.js';
import { JwksController } from './jwks.controller.js';
import { MetadataController } from './metadata.controller.js';
import { RevocationDocuments } from './revocation-documents.service.js';
import { RevocationsController } from './revocations.controller.js';
import { ServiceClientGuard } from './service-client.guard.js';
import { ServiceClients } from './service-clients.service.js';
import { TokensController } from './tokens.controller.js';
import { TokensService } from './tokens.service.js';

/**
 * Endpoints for other services and reverse proxies: metadata, keys, revocations, introspection, forward auth. Exports
 * nothing.
 */
@Module({
  imports: [KeysModule, SessionsModule, ContainmentModule, CredentialsModule],
  controllers: [
    MetadataController,
    JwksController,
    RevocationsController,
    TokensController,
    ForwardAuthController,
  ],
  providers: [TokensService, RevocationDocuments, ServiceClients, ServiceClientGuard],
})
export class ServicesModule {}
