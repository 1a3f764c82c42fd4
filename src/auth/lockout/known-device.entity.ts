import { defineEntity, p } from '@mikro-orm/core';
import { User } from '../../users/user.entity.js';

/** A network and a user agent of an earlier sign-in of a user. */
export const KnownDeviceSchema = defineEntity({
  name: 'KnownDevice',
  tableName: 'known_devices',
  properties: {
    user: () => p.manyToOne(User).primary().deleteRule('cascade'),
    network: p.text().primary(),
    agentHash: p.blob().$type<Buffer>().primary(),
    firstSeenAt: p.datetime().defaultRaw('now()'),
    lastSeenAt: p.datetime().defaultRaw('now()'),
  },
  checks: [{ name: 'known_devices_agent_hash_is_sha256', expression: 'length(agent_hash) = 32' }],
});

export class KnownDevice extends KnownDeviceSchema.class {}
KnownDeviceSchema.setClass(KnownDevice);
