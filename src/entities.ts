import { User } from './users/user.entity.js';
import { Session } from './auth/sessions/session.entity.js';
import { RefreshToken } from './auth/strategies/jwt/refresh-token.entity.js';
import { Revocation } from './auth/revocation/revocation.entity.js';
import { SigningKey } from './auth/keys/signing-key.entity.js';
import { Node } from './cluster/node.entity.js';
import { ServiceClient } from './services/service-client.entity.js';
import { OneTimeToken } from './users/one-time-tokens/one-time-token.entity.js';
import { OutboxMail } from './mail/outbox-mail.entity.js';
import { MfaChallenge } from './auth/assurance/mfa-challenge.entity.js';
import { Passkey } from './auth/factors/passkeys/passkey.entity.js';
import { WebauthnChallenge } from './auth/factors/passkeys/webauthn-challenge.entity.js';
import { TotpAuthenticator } from './auth/factors/totp/totp-authenticator.entity.js';
import { RecoveryCode } from './auth/factors/recovery-codes/recovery-code.entity.js';
import { GuessCounter } from './auth/lockout/guess-counter.entity.js';
import { KnownDevice } from './auth/lockout/known-device.entity.js';
import { AuditEvent } from './audit/audit-event.entity.js';
import { AuditChain } from './audit/audit-chain.entity.js';
import { AuditCounter } from './audit/audit-counter.entity.js';
import { PasswordFormat } from './users/passwords/password-format.entity.js';
import { Import } from './users/import/import.entity.js';

/**
 * All entities: the schema. Separate from the application, which commands that only query the database need not load.
 */
export const ENTITIES = [
  User,
  Session,
  RefreshToken,
  Revocation,
  SigningKey,
  Node,
  ServiceClient,
  OneTimeToken,
  OutboxMail,
  MfaChallenge,
  Passkey,
  WebauthnChallenge,
  TotpAuthenticator,
  RecoveryCode,
  GuessCounter,
  KnownDevice,
  AuditEvent,
  AuditChain,
  AuditCounter,
  PasswordFormat,
  Import,
];
