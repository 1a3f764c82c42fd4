import { Module } from '@nestjs/common';
import { RevocationModule } from '../revocation/revocation.module.js';
import { SessionsModule } from '../sessions/sessions.module.js';
import { Containment } from './containment.service.js';

/** What ends together when an account or a session changes. */
@Module({ imports: [RevocationModule, SessionsModule], providers: [Containment], exports: [Containment] })
export class ContainmentModule {}
