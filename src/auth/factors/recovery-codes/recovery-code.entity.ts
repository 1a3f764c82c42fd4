import { defineEntity, p } from '@mikro-orm/core';
import { User } from '../../../users/user.entity.js';

/** An unused recovery code. It has more than 112 bits, so SHA-256 is sufficient. */
export const RecoveryCodeSchema = defineEntity({
  name: 'RecoveryCode',
  tableName: 'recovery_codes',
  properties: {
    codeHash: p.blob().$type<Buffer>().primary().hidden(),
    user: () => p.manyToOne(User).deleteRule('cascade'),
    createdAt: p.datetime().defaultRaw('now()'),
  },
  indexes: [{ name: 'recovery_codes_user_id_index', properties: ['user'] }],
  checks: [{ name: 'recovery_codes_hash_is_sha256', expression: 'length(code_hash) = 32' }],
});

export class RecoveryCode extends RecoveryCodeSchema.class {}
RecoveryCodeSchema.setClass(RecoveryCode);
