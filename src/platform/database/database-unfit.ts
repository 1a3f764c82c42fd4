/** The database cannot be used as it is. The message is for a terminal. */
export class DatabaseUnfit extends Error {}
