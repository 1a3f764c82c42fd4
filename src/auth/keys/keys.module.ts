import { Module } from '@nestjs/common';
import { RevocationModule } from '../revocation/revocation.module.js';
import { KeyLifecycle } from './key-lifecycle.service.js';
import { KeyRotation } from './key-rotation.service.js';
import { NamingKeys } from './naming-keys.service.js';
import { SigningKeys } from './signing-keys.service.js';

/** Signing keys: their storage, rotation and publication. */
@Module({
  imports: [RevocationModule],
  providers: [SigningKeys, NamingKeys, KeyLifecycle, KeyRotation],
  exports: [SigningKeys, NamingKeys],
})
export class KeysModule {}
