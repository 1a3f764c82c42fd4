/** The permissions of a service client: introspect tokens (RFC 7662), revoke them (RFC 7009). */
export const PERMISSIONS = ['introspect', 'revoke'] as const;
export type Permission = (typeof PERMISSIONS)[number];
