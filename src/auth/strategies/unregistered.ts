/**
 * Where strategies would register themselves: nowhere. The mixin of @nestjs/passport registers with one Passport
 * for the whole process; ours belong to the application that made them (see the Authenticator).
 */
export const unregistered = {
  use(): void {
    // The Authenticator registers the strategy under the name of the table.
  },
};
