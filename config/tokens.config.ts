/** Injection tokens of the configuration's namespaces. */
export const APP_CONFIG = Symbol('APP_CONFIG');
export const AUTH_CONFIG = Symbol('AUTH_CONFIG');
export const PASSWORD_CONFIG = Symbol('PASSWORD_CONFIG');
export const MAIL_CONFIG = Symbol('MAIL_CONFIG');
export const AUDIT_CONFIG = Symbol('AUDIT_CONFIG');
export const PAGES_CONFIG = Symbol('PAGES_CONFIG');
