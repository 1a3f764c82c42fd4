import { Inject, Module } from '@nestjs/common';
import { JwtModule } from '@nestjs/jwt';
import type { AppConfig } from '../../config/app.config.js';
import type { AuthConfig } from '../../config/auth.config.js';
import { APP_CONFIG, AUTH_CONFIG } from '../../config/tokens.config.js';
import { Cookies } from '../http/cookies.js';
import { Sweeper } from '../sweep/sweeper.service.js';
import { UsersModule } from '../users/users.module.js';
import { AdminAuditController } from './admin/admin-audit.controller.js';
import { AdminSessionsController } from './admin/admin-sessions.controller.js';
import { AdminUsersController } from './admin/admin-users.controller.js';
import { SessionAdministration } from './admin/session-administration.service.js';
import { UserAdministrationService } from './admin/user-administration.service.js';
import { AccountController } from './account/account.controller.js';
import { AccountDeletion } from './account/account-deletion.service.js';
import { AccountExport } from './account/account-export.service.js';
import { PasswordChange } from './account/password-change.service.js';
import { AuthController } from './auth.controller.js';
import { AuthGuard } from './auth.guard.js';
import { AuthService } from './auth.service.js';
import { ServiceClientGuard } from './clients/service-client.guard.js';
import { ServiceClients } from './clients/service-clients.service.js';
import { CredentialReply } from './credential-reply.js';
import { TokensController } from './introspection/tokens.controller.js';
import { TokensService } from './introspection/tokens.service.js';
import { ForwardAuthController } from './forward-auth/forward-auth.controller.js';
import { ExchangeCompletion } from './exchange/exchange-completion.service.js';
import { ExchangeController } from './exchange/exchange.controller.js';
import { ExchangeService } from './exchange/exchange.service.js';
import { KnownDevices } from './lockout/known-devices.service.js';
import { Lockout } from './lockout/lockout.service.js';
import { oldGuessCounters } from './lockout/old-guess-counters.js';
import { MfaChallenges, oldMfaChallenges } from './mfa/mfa-challenges.service.js';
import { SecondFactors } from './mfa/second-factors.service.js';
import { FactorChanges } from './mfa/factor-changes.service.js';
import { FactorProofs } from './mfa/factor-proofs.service.js';
import { MfaController } from './mfa/mfa.controller.js';
import { Mfa } from './mfa/mfa.service.js';
import { RecoveryCodesController } from './recovery-codes/recovery-codes.controller.js';
import { RecoveryCodes } from './recovery-codes/recovery-codes.service.js';
import { TotpController } from './totp/totp.controller.js';
import { TotpEnrolment } from './totp/totp-enrolment.service.js';
import { Totp } from './totp/totp.service.js';
import { TotpSeeds } from './totp/totp-seeds.service.js';
import { PasskeyAssertions } from './passkeys/passkey-assertions.service.js';
import { PasskeyAuthenticationController } from './passkeys/passkey-authentication.controller.js';
import { PasskeyRegistrations } from './passkeys/passkey-registrations.service.js';
import { PasskeySignIn } from './passkeys/passkey-sign-in.service.js';
import { PasskeysController } from './passkeys/passkeys.controller.js';
import { Passkeys } from './passkeys/passkeys.service.js';
import { oldWebauthnChallenges, WebauthnChallenges } from './passkeys/webauthn-challenges.service.js';
import { PresentedSessions } from './presented-sessions.service.js';
import { SignIns } from './sign-in.service.js';
import { SignOuts } from './sign-out.service.js';
import { PendingExchanges } from './exchange/pending-exchanges.service.js';
import { JwksController } from './keys/jwks.controller.js';
import { KeyLifecycle } from './keys/key-lifecycle.service.js';
import { KeyRotation } from './keys/key-rotation.service.js';
import { SigningKeys } from './keys/signing-keys.service.js';
import { MetadataController } from './metadata/metadata.controller.js';
import { LiveCredentials } from './nodes/live-credentials.service.js';
import { NodeRegistration } from './nodes/node-registration.service.js';
import { Nodes, oldNodes } from './nodes/nodes.service.js';
import { PasswordRecovery } from './recovery/password-recovery.service.js';
import { RecoveryController } from './recovery/recovery.controller.js';
import { RevocationDocuments } from './revocations/revocation-documents.service.js';
import { RevocationsController } from './revocations/revocations.controller.js';
import { DevicesService } from './sessions/devices.service.js';
import { OldSessions, oldRevocations } from './sessions/old-sessions.js';
import { RevocationFeed } from './sessions/revocation-feed.service.js';
import { SessionActivity } from './sessions/session-activity.service.js';
import { SessionsController } from './sessions/sessions.controller.js';
import { SessionsService } from './sessions/sessions.service.js';
import { VerifiedCredentials } from './sessions/verified-credentials.service.js';
import { Freshness } from './step-up/freshness.service.js';
import { HeldSessions } from './step-up/held-sessions.service.js';
import { PasskeyProof, RecoveryCodeProof, TotpProof } from './step-up/factor-proofs.service.js';
import { PasswordProof } from './step-up/password-proof.service.js';
import { StepUpController } from './step-up/step-up.controller.js';
import { StepUp } from './step-up/step-up.service.js';
import { Authenticator } from './strategies/authenticator.js';
import { AccessTokens } from './strategies/jwt/access-tokens.service.js';
import { RefreshStrategy } from './strategies/jwt/refresh.strategy.js';
import { RefreshLineage } from './strategies/jwt/refresh-lineage.service.js';
import { RefreshTokens } from './strategies/jwt/refresh-tokens.service.js';
import { LocalStrategy } from './strategies/local.strategy.js';
import type { AuthStrategy } from './strategies/auth.strategy.js';
import { STRATEGIES, StrategyTable } from './strategies/strategy.table.js';
import { AccountClaims } from './verification/account-claims.service.js';
import { EmailChanges } from './verification/email-changes.service.js';
import { EmailProofs } from './verification/email-proofs.service.js';
import { EmailVerification } from './verification/email-verification.service.js';
import { TokenMails } from './verification/token-mails.service.js';
import { VerificationController } from './verification/verification.controller.js';

/** Signing in and out: strategies, sessions and keys. */
@Module({
  imports: [UsersModule, JwtModule.register({})],
  controllers: [
    AuthController,
    MfaController,
    TotpController,
    RecoveryCodesController,
    ExchangeController,
    SessionsController,
    JwksController,
    RevocationsController,
    TokensController,
    MetadataController,
    ForwardAuthController,
    StepUpController,
    PasskeysController,
    PasskeyAuthenticationController,
    RecoveryController,
    VerificationController,
    AccountController,
    AdminUsersController,
    AdminAuditController,
    AdminSessionsController,
  ],
  providers: [
    { provide: Cookies, useFactory: (app: AppConfig) => new Cookies(app.PUBLIC_URL), inject: [APP_CONFIG] },
    AuthService,
    SignIns,
    SignOuts,
    PresentedSessions,
    Lockout,
    WebauthnChallenges,
    PasskeyAssertions,
    PasskeySignIn,
    PasskeyRegistrations,
    Passkeys,
    KnownDevices,
    SecondFactors,
    MfaChallenges,
    TotpSeeds,
    Totp,
    TotpEnrolment,
    RecoveryCodes,
    FactorChanges,
    FactorProofs,
    Mfa,
    Freshness,
    HeldSessions,
    PasswordProof,
    TotpProof,
    RecoveryCodeProof,
    PasskeyProof,
    StepUp,
    PasswordRecovery,
    EmailVerification,
    EmailChanges,
    EmailProofs,
    AccountClaims,
    TokenMails,
    PasswordChange,
    AccountDeletion,
    AccountExport,
    AuthGuard,
    CredentialReply,
    SessionsService,
    DevicesService,
    SessionActivity,
    RevocationFeed,
    VerifiedCredentials,
    RevocationDocuments,
    SigningKeys,
    KeyLifecycle,
    KeyRotation,
    Nodes,
    NodeRegistration,
    LiveCredentials,
    ExchangeService,
    ExchangeCompletion,
    PendingExchanges,
    Authenticator,
    {
      provide: StrategyTable,
      useFactory: (config: AuthConfig, ...strategies: AuthStrategy[]) =>
        new StrategyTable(config, strategies),
      inject: [AUTH_CONFIG, ...STRATEGIES],
    },
    ...STRATEGIES,
    LocalStrategy,
    RefreshStrategy,
    AccessTokens,
    RefreshTokens,
    RefreshLineage,
    UserAdministrationService,
    SessionAdministration,
    ServiceClients,
    ServiceClientGuard,
    TokensService,
  ],
  exports: [AuthGuard, Authenticator, SessionActivity, SigningKeys],
})
export class AuthModule {
  constructor(
    sweeper: Sweeper,
    { all: strategies }: StrategyTable,
    @Inject(AUTH_CONFIG) { SESSION_RETENTION }: AuthConfig,
  ) {
    const clearings = strategies.flatMap((strategy) => strategy.clear?.bind(strategy) ?? []);
    sweeper.add(
      new OldSessions('expires_at', SESSION_RETENTION, clearings),
      new OldSessions('revoked_at', SESSION_RETENTION, clearings),
      oldRevocations(),
      oldMfaChallenges(),
      oldWebauthnChallenges(),
      oldGuessCounters(),
      oldNodes(),
    );
  }
}
