import { defineEntity, p } from '@mikro-orm/core';

/** A service that may ask about tokens (RFC 7662) or revoke them (RFC 7009). Its `id` is the `client_id`. */
const ServiceClientSchema = defineEntity({
  name: 'ServiceClient',
  tableName: 'service_clients',
  properties: {
    id: p.uuid().primary(),
    name: p.text().unique('service_clients_name_key'),
    /** SHA-256 of the secret, which is 256 random bits. */
    secretHash: p.blob().hidden().lazy(),
    permissions: p.array().columnType('text[]'),
    createdAt: p.datetime().defaultRaw('now()'),
  },
  checks: [{ name: 'service_clients_secret_hash_is_sha256', expression: 'length(secret_hash) = 32' }],
});

export class ServiceClient extends ServiceClientSchema.class {}
ServiceClientSchema.setClass(ServiceClient);
