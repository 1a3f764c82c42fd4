/** More requests wait than can be answered in time. */
export class Overloaded extends Error {
  /** @param retryAfter seconds after which a retry can succeed. */
  constructor(
    message: string,
    readonly retryAfter = 5,
  ) {
    super(message);
  }
}

/** The request cannot be decided now. Nothing was changed, and a retry can succeed. */
export class Unavailable extends Error {}

/** The breached-password service is unavailable, and the configuration says to refuse. */
export class BreachCheckUnavailable extends Error {}
