export type MailDelivery = 'smtp' | 'mailbox' | 'off';

/** The readiness of the features, answered by the composition root. */
export abstract class Readiness {
  /** Whether signing keys are loaded. */
  abstract hasKeys(): boolean;

  /** Where mails go: to a server, to the development mailbox, or nowhere. */
  abstract mailDelivery(): MailDelivery;

  /** Whether this process stops. */
  abstract isStopping(): boolean;

  /** Whether the last periodic write reached the database. */
  abstract canWrite(): boolean;
}
