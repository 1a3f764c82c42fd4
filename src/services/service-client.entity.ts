import { defineEntity, p } from '@mikro-orm/core';
import type { Permission } from './permissions.js';

/** A service that can introspect (RFC 7662) or revoke (RFC 7009) tokens. Its `id` is the `client_id`. */
export const ServiceClientSchema = defineEntity({
  name: 'ServiceClient',
  tableName: 'service_clients',
  properties: {
    id: p.uuid().primary(),
    name: p.text().unique('service_clients_name_key'),
    /** SHA-256 of the secret, which is 256 random bits. */
    secretHash: p.blob().$type<Buffer>().hidden().lazy(),
    permissions: p.array().$type<Permission[]>().columnType('text[]'),
    createdAt: p.datetime().defaultRaw('now()'),
  },
  checks: [{ name: 'service_clients_secret_hash_is_sha256', expression: 'length(secret_hash) = 32' }],
});

export class ServiceClient extends ServiceClientSchema.class {}
ServiceClientSchema.setClass(ServiceClient);
