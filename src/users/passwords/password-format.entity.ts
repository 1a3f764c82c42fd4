import { defineEntity, p } from '@mikro-orm/core';

/** A kind of hash that accounts may have: a format, and its parameters where these are few. */
const PasswordFormatSchema = defineEntity({
  name: 'PasswordFormat',
  tableName: 'password_formats',
  properties: {
    /** A `like` pattern that finds the hashes of this kind. */
    format: p.text().primary(),
    /** The dearest hash of this kind, with zeros for salt and digest. */
    sample: p.text(),
    /** What that one costs, in a unit of its algorithm. */
    work: p.bigint('bigint'),
    /** When it was last noted. */
    seenAt: p.datetime().defaultRaw('now()'),
  },
});

export class PasswordFormat extends PasswordFormatSchema.class {}
PasswordFormatSchema.setClass(PasswordFormat);
