/** A bounded queue is full: more is waiting than could be answered in time. */
export class Overloaded extends Error {}
