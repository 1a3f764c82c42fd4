/** Whether this process stops: it still answers, and tells load balancers and clients to go elsewhere. */
export class Drain {
  private underWay = false;

  get isUnderWay(): boolean {
    return this.underWay;
  }

  /** From now on, readiness is red and each reply closes its connection. */
  begin(): void {
    this.underWay = true;
  }
}
