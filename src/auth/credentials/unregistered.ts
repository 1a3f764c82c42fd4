/**
 * A no-op target for strategy registration. The mixin of @nestjs/passport registers with one Passport for the whole
 * process; these strategies belong to the application that created them (see Authenticator).
 */
export const unregistered = {
  use(): void {
    // The Authenticator registers the strategy under the name of the table.
  },
};
