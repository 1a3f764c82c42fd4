const requests = new WeakSet<object>();

/** Notes that a request came with a credential that opens nothing, which cost a look into the database. */
export function noteDeadCredential(request: object): void {
  requests.add(request);
}

/** Whether it did. */
export function hadDeadCredential(request: object): boolean {
  return requests.has(request);
}
