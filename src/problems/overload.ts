/** A bounded queue is full: more is waiting than could be answered in time. */
export class Overloaded extends Error {}

/** It cannot be decided here and now; nothing was changed, and asking again may succeed. */
export class Unavailable extends Error {}

/** Whether a password was leaked cannot be asked now, and the configuration says to refuse it then. */
export class BreachCheckUnavailable extends Error {}
