const requests = new WeakSet<object>();

/** Marks a request with a value of the form of our credentials that was never issued. */
export function noteWrongGuess(request: object): void {
  requests.add(request);
}

/** Whether `noteWrongGuess` marked the request. */
export function hadWrongGuess(request: object): boolean {
  return requests.has(request);
}
