import { defineEntity, p } from '@mikro-orm/core';

/** A kind of stored hash: its format, and its parameters if they vary little. */
export const PasswordFormatSchema = defineEntity({
  name: 'PasswordFormat',
  tableName: 'password_formats',
  properties: {
    /** A `like` pattern for the hashes of this kind. */
    format: p.text().primary(),
    /** The most expensive hash of this kind, with zeros for salt and digest. */
    sample: p.text(),
    /** Its cost, in a unit of its algorithm. */
    work: p.bigint('number'),
    /** When it was last recorded. */
    seenAt: p.datetime().defaultRaw('now()'),
  },
});

export class PasswordFormat extends PasswordFormatSchema.class {}
PasswordFormatSchema.setClass(PasswordFormat);
