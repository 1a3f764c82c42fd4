/** What the health check asks of the features, without knowing them. The composition root answers. */
export abstract class Readiness {
  /** Whether signing keys are loaded. */
  abstract hasKeys(): boolean;
}
