import { defineEntity, p } from '@mikro-orm/core';

/** A person with an account. `email` is shown as it was given; `emailCanonical` is what makes it unique. */
const UserSchema = defineEntity({
  name: 'User',
  tableName: 'users',
  properties: {
    id: p.uuid().primary(),
    email: p.text().check('char_length(email) >= 3 and char_length(email) <= 320'),
    emailCanonical: p.text().unique('users_email_canonical_key'),
    passwordHash: p.text().hidden().lazy(),
    createdAt: p.datetime().defaultRaw('now()'),
    updatedAt: p.datetime().defaultRaw('now()'),
  },
});

export class User extends UserSchema.class {}
UserSchema.setClass(User);
