// Generated from the API specification of all strategies: UPDATE_DOCS=1 npm test -- test/client/types.spec.ts writes it.
/* eslint-disable */

export interface routes {
    /** Sign an account out everywhere */
    "DELETE /admin/users/{id}/sessions": operations["endUserSessions"];
    /** End one session of an account */
    "DELETE /admin/users/{id}/sessions/{session_id}": operations["endUserSession"];
    /** Remove a passkey */
    "DELETE /passkeys/{id}": operations["removePasskey"];
    /** Sign out there */
    "DELETE /sessions/{id}": operations["endSession"];
    /** Remove the authenticator app */
    "DELETE /totp": operations["removeTotp"];
    /** Delete my account */
    "DELETE /users/me": operations["deleteAccount"];
    /** The public keys of access tokens */
    "GET /.well-known/jwks.json": operations["getJwks"];
    /** The metadata of this issuer */
    "GET /.well-known/oauth-authorization-server": operations["getMetadata"];
    /** The revoked access tokens */
    "GET /.well-known/revocations": operations["getRevocations"];
    /** What happened */
    "GET /admin/audit": operations["listAuditEvents"];
    /** Find accounts */
    "GET /admin/users": operations["listUsers"];
    /** Show an account */
    "GET /admin/users/{id}": operations["getUser"];
    /** Where an account is signed in */
    "GET /admin/users/{id}/sessions": operations["listUserSessions"];
    /** The process lives */
    "GET /health/live": operations["checkLiveness"];
    /** The service can do its work */
    "GET /health/ready": operations["checkReadiness"];
    /** Who am I? */
    "GET /me": operations["getMe"];
    /** My passkeys */
    "GET /passkeys": operations["listPasskeys"];
    /** Where I am signed in */
    "GET /sessions": operations["listSessions"];
    /** My account */
    "GET /users/me": operations["getAccount"];
    /** What happened to my account */
    "GET /users/me/events": operations["listEvents"];
    /** Export my data */
    "GET /users/me/export": operations["exportAccount"];
    /** How I can sign in */
    "GET /users/me/sign-in-methods": operations["getSignInMethods"];
    /** Check a request for a reverse proxy */
    "GET /verify": operations["verify"];
    /** Change an account */
    "PATCH /admin/users/{id}": operations["changeUser"];
    /** Rename a passkey */
    "PATCH /passkeys/{id}": operations["renamePasskey"];
    /** Change my profile */
    "PATCH /users/me": operations["changeProfile"];
    /** Change my e-mail address */
    "POST /email": operations["changeEmail"];
    /** Confirm an e-mail address with a mailed link */
    "POST /email/verify": operations["verifyEmail"];
    /** Send the link that confirms my e-mail address again */
    "POST /email/verify/resend": operations["resendVerification"];
    /** Introspect a token */
    "POST /introspect": operations["introspect"];
    /** Sign in */
    "POST /login": operations["login"];
    /** Sign out */
    "POST /logout": operations["logout"];
    /** Complete a sign-in with a second factor */
    "POST /mfa": operations["completeLogin"];
    /** Begin an authentication with a passkey */
    "POST /passkeys/authentication/options": operations["beginPasskeyLogin"];
    /** Sign in with a passkey */
    "POST /passkeys/authentication/verify": operations["loginWithPasskey"];
    /** Begin to add a passkey */
    "POST /passkeys/registration/options": operations["beginPasskeyRegistration"];
    /** Add the passkey */
    "POST /passkeys/registration/verify": operations["addPasskey"];
    /** Change my password */
    "POST /password": operations["changePassword"];
    /** Request a link to choose a new password */
    "POST /password/forgot": operations["forgotPassword"];
    /** Choose a new password with a mailed link */
    "POST /password/reset": operations["resetPassword"];
    /** Re-authenticate */
    "POST /reauthenticate": operations["reauthenticate"];
    /** Create recovery codes */
    "POST /recovery-codes": operations["createRecoveryCodes"];
    /** Exchange a refresh token for new tokens */
    "POST /refresh": operations["refresh"];
    /** End the session of a token */
    "POST /revoke": operations["revoke"];
    /** Exchange my credential for one of the issuing strategy */
    "POST /session/exchange": operations["exchangeCredential"];
    /** Create an account */
    "POST /signup": operations["signup"];
    /** Add or replace an authenticator app */
    "POST /totp": operations["beginTotp"];
    /** Confirm the authenticator app */
    "POST /totp/confirm": operations["confirmTotp"];
}

export type ProblemCode = components["schemas"]["Problem"]["code"];

export interface components {
    schemas: {
        Events: {
            events: components["schemas"]["Event"][];
            /** @description The cursor of older events; null if there are none. */
            next_cursor: string | null;
        };
        Event: {
            /** Format: uuid */
            id: string;
            kind: components["schemas"]["EventKind"];
            /** Format: date-time */
            at: string;
            /** @description A short description, in the language that `Accept-Language` prefers. */
            description: string;
            /**
             * @description The actor: `user` for the client that used the account or tried to, else a member of the service.
             * @enum {string}
             */
            actor: "user" | "admin" | "operator" | "service" | "system";
            session_id: string | null;
            /** @description The IP address of the client; null if another actor did it. */
            ip: string | null;
            /** @description The browser and system without versions, if known. */
            device: string | null;
            /** @description The browser and system, if known. */
            user_agent: string | null;
            details: {
                [key: string]: unknown;
            };
        };
        /**
         * @description The kind of event, as a stable word. Later versions can add kinds.
         * @enum {string}
         */
        EventKind: "signup" | "signup_repeated" | "login" | "login_failed" | "login_mfa_required" | "mfa_failed" | "logout" | "session_ended" | "sessions_revoked" | "refresh_reused" | "credential_exchanged" | "reauthenticated" | "reauthentication_failed" | "password_changed" | "password_reset_requested" | "password_reset" | "email_change_requested" | "email_changed" | "email_verified" | "profile_changed" | "account_exported" | "account_deleted" | "passkey_added" | "passkey_renamed" | "passkey_removed" | "passkey_suspicious" | "passkey_backup_enabled" | "passkey_backup_refused" | "passkey_disabled" | "totp_added" | "totp_removed" | "recovery_codes_made" | "recovery_code_used" | "authenticator_locked" | "user_created" | "user_disabled" | "user_enabled" | "user_unlocked" | "user_role_changed" | "user_reset" | "users_imported" | "users_exported" | "admin_viewed" | "key_rotated" | "key_revoked" | "secrets_rewrapped" | "strategy_started" | "client_added" | "client_removed" | "audit_pruned";
        Signup: {
            /** Format: email */
            email: string;
            /**
             * Format: password
             * @description Any characters, counted in Unicode code points. Common passwords are refused.
             */
            password: string;
        };
        SignupReply: {
            /** Format: uuid */
            id: string;
            /** @enum {string} */
            message: "Signup successful";
        };
        Account: {
            /** Format: uuid */
            id: string;
            /** @description As the owner wrote it. */
            email: string;
            /** @description Whether the owner verified it. */
            email_verified: boolean;
            name: string | null;
            /** @description The language of mails and pages; null for mails in English. */
            language: ("en" | "de") | null;
            /** @enum {string} */
            role: "user" | "admin";
            /** Format: date-time */
            created_at: string;
        };
        Profile: {
            /** @description The name that you choose; null for none. */
            name?: string | null;
            /** @description The language of mails and pages; null for mails in English. */
            language?: ("en" | "de") | null;
        };
        SignInMethods: {
            /** @description Whether the account has a password. */
            password: boolean;
            /** @description The number of passkeys that can sign in. */
            passkeys: number;
            /** @description Whether an authenticator app is set up. */
            totp: boolean;
            /** @description The number of unused recovery codes. */
            recovery_codes_left: number;
            /** @description The new address that waits for its confirmation; null if there is none. */
            pending_email: string | null;
        };
        PasswordChange: {
            /**
             * Format: password
             * @description Optional for STEP_UP_TTL after a sign-in or `POST /reauthenticate`. It does not replace a second factor.
             */
            current_password?: string;
            /**
             * Format: password
             * @description Any characters, counted in Unicode code points. Common passwords are refused.
             */
            new_password: string;
        };
        /** @description The account and its data: one list for each table, with the names of the database. */
        AccountExport: {
            /** Format: date-time */
            exported_at: string;
            account: components["schemas"]["ExportedRow"];
            sessions: components["schemas"]["ExportedRow"][];
            passkeys: components["schemas"]["ExportedRow"][];
            totp_authenticators: components["schemas"]["ExportedRow"][];
            recovery_codes: components["schemas"]["ExportedRow"][];
            known_devices: components["schemas"]["ExportedRow"][];
            one_time_tokens: components["schemas"]["ExportedRow"][];
            mfa_challenges: components["schemas"]["ExportedRow"][];
            webauthn_challenges: components["schemas"]["ExportedRow"][];
            audit_events: components["schemas"]["ExportedRow"][];
            outbox_mails: components["schemas"]["ExportedRow"][];
        };
        /** @description The columns of a row, with the names of the database. */
        ExportedRow: {
            [key: string]: unknown;
        };
        Sessions: {
            sessions: components["schemas"]["Device"][];
        };
        Device: {
            /** Format: uuid */
            id: string;
            /** @description Whether it is the session of this request. */
            current: boolean;
            strategy: components["schemas"]["Strategy"];
            /** Format: date-time */
            created_at: string;
            /**
             * Format: date-time
             * @description Accurate to a minute.
             */
            last_used_at: string;
            /** @description The IP address of the sign-in. */
            ip: string | null;
            /** @description The browser and system without versions, if known. */
            device: string | null;
            /** @description The browser and system, if known. */
            user_agent: string | null;
        };
        /**
         * @description The kind of its credential.
         * @enum {string}
         */
        Strategy: "session" | "jwt";
        PasswordForgotten: {
            /** Format: email */
            email: string;
        };
        PasswordReset: {
            /** @description The text after `#token=` in the link of the mail, or the code below it, in any case and with any separators. */
            token: string;
            /**
             * Format: password
             * @description The rules of sign-up apply. Must differ from the current password.
             */
            new_password: string;
        };
        EmailChange: {
            /** Format: email */
            email: string;
        };
        EmailProof: {
            /** @description The text after `#token=` in the link of the mail, or the code below it, in any case and with any separators. */
            token: string;
        };
        AdministeredUsers: {
            users: components["schemas"]["AdministeredUser"][];
            /** @description The cursor of the next page; null on the last one. */
            next_cursor: string | null;
        };
        AdministeredUser: {
            /** Format: uuid */
            id: string;
            email: string;
            name: string | null;
            /** @enum {string} */
            role: "user" | "admin";
            email_verified: boolean;
            disabled_at: string | null;
            password_compromised_at: string | null;
            /** @description The credentials that the user can sign in with. */
            factors: {
                password: boolean;
                totp: boolean;
                passkeys: number;
                recovery_codes: number;
            };
            live_sessions: number;
            /** Format: date-time */
            created_at: string;
        };
        InspectedUser: {
            /** Format: uuid */
            id: string;
            email: string;
            name: string | null;
            /** @enum {string} */
            role: "user" | "admin";
            email_verified: boolean;
            disabled_at: string | null;
            password_compromised_at: string | null;
            /** @description The credentials that the user can sign in with. */
            factors: {
                password: boolean;
                totp: boolean;
                passkeys: number;
                recovery_codes: number;
            };
            live_sessions: number;
            /** Format: date-time */
            created_at: string;
            /** @description Active locks after failed attempts. */
            locks: components["schemas"]["Lock"][];
        };
        Lock: {
            /** @enum {string} */
            authenticator: "password" | "totp" | "recovery_code" | "passkey";
            /**
             * @description Which attempts are refused: from one network, from all networks unknown for this user, or all.
             * @enum {string}
             */
            refuses: "network" | "unknown_networks" | "everybody";
            network: string | null;
            /** @description Consecutive failed attempts. */
            failures: number;
            /** @description When it ends automatically; null if only a sign-in from another network, a reset or an operator ends it. */
            until: string | null;
        };
        UserChange: {
            /** @enum {string} */
            role?: "user" | "admin";
            /** @description Whether the user is refused at sign-in; with `true`, all their sessions end immediately. */
            disabled?: boolean;
            /**
             * @description The password is refused until the user changes it with a mailed link; all sessions end immediately.
             * @enum {boolean}
             */
            password_compromised?: true;
        };
        AuditEvents: {
            events: components["schemas"]["AuditEvent"][];
            next_cursor: string | null;
        };
        AuditEvent: {
            /** Format: uuid */
            id: string;
            kind: components["schemas"]["EventKind"];
            /** Format: date-time */
            at: string;
            /** @description The id of the account that it concerns. The event outlives the account. */
            user_id: string | null;
            /** @description `user`, `admin:<id>`, `operator`, `service:<id>` or `system`. */
            actor: string;
            session_id: string | null;
            ip: string | null;
            user_agent: string | null;
            request_id: string | null;
            details: {
                [key: string]: unknown;
            };
            /** @description Its position in the chain; null until it is sealed, shortly after. */
            seq: number | null;
        };
        EndedSessions: {
            /** @description The number of ended sessions. */
            ended: number;
        };
        AuthorizationServerMetadata: {
            /** @description `iss` of access tokens: exactly PUBLIC_URL. */
            issuer: string;
            jwks_uri: string;
            introspection_endpoint: string;
            introspection_endpoint_auth_methods_supported: ("client_secret_basic" | "client_secret_post")[];
            revocation_endpoint: string;
            revocation_endpoint_auth_methods_supported: ("client_secret_basic" | "client_secret_post")[];
            /** @description Required by RFC 8414, and empty: there is no authorization endpoint. */
            response_types_supported: string[];
            /** @description Empty: left out, it would mean `authorization_code` and `implicit`. */
            grant_types_supported: string[];
            service_documentation?: string;
            /** @description Our extension: the signed feed of revocations. */
            revocations_uri: string;
            /** @description Our extension: the algorithms of the published keys. */
            access_token_signing_alg_values_supported: ("ES256" | "PS256" | "RS256")[];
        };
        JsonWebKeySet: {
            keys: (components["schemas"]["EllipticCurveKey"] | components["schemas"]["RsaKey"])[];
        };
        EllipticCurveKey: {
            kid: string;
            /** @enum {string} */
            use: "sig";
            /** @enum {string} */
            kty: "EC";
            /** @enum {string} */
            alg: "ES256";
            /** @enum {string} */
            crv: "P-256";
            x: string;
            y: string;
        };
        RsaKey: {
            kid: string;
            /** @enum {string} */
            use: "sig";
            /** @enum {string} */
            kty: "RSA";
            /** @enum {string} */
            alg: "PS256" | "RS256";
            n: string;
            e: string;
        };
        /** @description A compact JWS, signed by a key of the key set, with `typ: revocations+jwt`. */
        Revocations: string;
        Introspection: {
            /** @description An access token, a refresh token, or the value of a session cookie. */
            token: string;
            /** @description The kind of token. It has no effect: all kinds are tried. */
            token_type_hint?: string;
            /** @description Here or in `Authorization: Basic`. */
            client_id?: string;
            /** @description Here or in `Authorization: Basic`, not in both. */
            client_secret?: string;
        };
        IntrospectionReply: {
            /** @enum {boolean} */
            active: true;
            /**
             * @description `Bearer` for an access token, `session` for the value of a session cookie.
             * @enum {string}
             */
            token_type: "Bearer" | "session";
            iss: string;
            aud: string | string[];
            /**
             * Format: uuid
             * @description The id of the account.
             */
            sub: string;
            /**
             * Format: uuid
             * @description The id of the session. Not secret.
             */
            sid: string;
            client_id: string;
            /** @description Seconds since 1970. */
            iat: number;
            /** @description Seconds since 1970. */
            exp: number;
            /** @description Seconds since 1970. */
            nbf?: number;
            jti?: string;
            /** @description When the user last authenticated. */
            auth_time: number;
            /** @description The methods (RFC 8176). */
            amr: string[];
        } | {
            /** @enum {boolean} */
            active: false;
        };
        Revocation: {
            /** @description An access token, a refresh token, or the value of a session cookie. */
            token: string;
            /** @description The kind of token. It has no effect: all kinds are tried. */
            token_type_hint?: string;
            /** @description Here or in `Authorization: Basic`. */
            client_id?: string;
            /** @description Here or in `Authorization: Basic`, not in both. */
            client_secret?: string;
        };
        Live: {
            /** @enum {string} */
            status: "ok";
        };
        Ready: {
            /** @enum {string} */
            status: "ok";
            details: {
                database: {
                    /** @enum {string} */
                    status: "up" | "down";
                };
                keys: {
                    /** @enum {string} */
                    status: "up" | "down";
                };
                redis: {
                    /** @enum {string} */
                    status: "up" | "down";
                    /** @enum {string} */
                    connection: "off" | "up" | "down";
                };
                mail: {
                    /** @enum {string} */
                    status: "up" | "down";
                    /** @enum {string} */
                    delivery: "smtp" | "mailbox" | "off";
                };
            };
        };
        Exchange: {
            /**
             * @description How tokens travel: in the body (`bearer`, the default), or in cookies that scripts cannot read (`cookie`). It has no effect if the `session` strategy issues.
             * @enum {string}
             */
            transport?: "bearer" | "cookie";
        };
        LoginReply: {
            /** @enum {boolean} */
            success: true;
            email: string;
            session: components["schemas"]["SessionView"];
            /** @description RFC 9068 access token. Absent, like the other fields, if the tokens travel in cookies. */
            access_token?: string;
            /** @enum {string} */
            token_type?: "Bearer";
            /** @description Seconds until the access token expires. */
            expires_in?: number;
            /** @description Opaque; each use gives a new one. */
            refresh_token?: string;
        };
        SessionView: {
            /** Format: uuid */
            id: string;
            strategy: components["schemas"]["Strategy"];
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            expires_at: string;
        };
        Refresh: {
            /** @description The `refresh_token` of a sign-in or refresh. */
            refresh_token?: string;
        };
        RefreshReply: {
            /** @description RFC 9068 access token. Absent, like the other fields, if the tokens travel in cookies. */
            access_token?: string;
            /** @enum {string} */
            token_type?: "Bearer";
            /** @description Seconds until the access token expires. */
            expires_in?: number;
            /** @description Opaque; each use gives a new one. */
            refresh_token?: string;
        };
        NewTotp: {
            /** @description The seed in base32, for typing. It is shown once. */
            secret: string;
            /** @description The same for apps on this device. */
            otpauth_uri: string;
            /** @description The same as a QR code: an SVG image. */
            qr_svg: string;
        };
        TotpConfirmation: {
            /** @description The six digits that the authenticator app shows. Spaces do not matter. */
            code: string;
            /** @description Whether to end all other sessions of the caller; false by default. */
            end_other_sessions?: boolean;
        };
        RecoveryCodes: {
            /** @description Each can be used once. */
            codes: string[];
        };
        PasskeyRegistrationRequest: {
            /** @description Whether the browser registers without a prompt (`mediation: "conditional"`); false by default. */
            conditional?: boolean;
        };
        PasskeyCreationOptions: {
            /** @description Valid for one answer, within five minutes. */
            challenge: string;
            rp: {
                id: string;
                name: string;
            };
            user: {
                /** @description 64 random bytes: the user handle. */
                id: string;
                name: string;
                displayName: string;
            };
            pubKeyCredParams: {
                alg: number;
                /** @enum {string} */
                type: "public-key";
            }[];
            /** @description Milliseconds. */
            timeout: number;
            /** @enum {string} */
            attestation: "none";
            excludeCredentials: {
                id: string;
                /** @enum {string} */
                type: "public-key";
                /** @description The transports of the authenticator, as far as they are known. */
                transports?: ("ble" | "cable" | "hybrid" | "internal" | "nfc" | "smart-card" | "usb")[];
            }[];
            authenticatorSelection: {
                /** @enum {string} */
                residentKey: "discouraged" | "preferred" | "required";
                requireResidentKey: boolean;
                /** @enum {string} */
                userVerification: "discouraged" | "preferred" | "required";
            };
            extensions: {
                credProps: boolean;
            };
            hints: ("security-key" | "client-device" | "hybrid")[];
        };
        PasskeyRegistration: {
            credential: components["schemas"]["PasskeyAttestation"];
            /** @description A name; by default the browser and system, such as `Firefox 133 on Linux`. */
            name?: string;
            /** @description Whether to end all other sessions of the caller; false by default. */
            end_other_sessions?: boolean;
        };
        /** @description The `toJSON()` of `navigator.credentials.create()`: `RegistrationResponseJSON` of WebAuthn. */
        PasskeyAttestation: {
            id: string;
            rawId: string;
            /** @enum {string} */
            type: "public-key";
            response: {
                clientDataJSON: string;
                attestationObject: string;
                transports?: string[];
            };
        };
        Passkey: {
            /** Format: uuid */
            id: string;
            /** @description Its id for authenticators, in base64url. */
            credential_id: string;
            name: string;
            /** Format: date-time */
            created_at: string;
            last_used_at: string | null;
            /** @description Whether it was backed up at its last use. */
            is_backed_up: boolean;
            /** @description The transports of the authenticator, as far as they are known. */
            transports: ("ble" | "cable" | "hybrid" | "internal" | "nfc" | "smart-card" | "usb")[];
            /** @description The model of the authenticator, as it reports it; zeros if it does not. */
            aaguid: string;
            /** @description Whether its key is not secure, so that it no longer signs in: remove it. */
            is_disabled: boolean;
        };
        Passkeys: {
            passkeys: components["schemas"]["Passkey"][];
            /** @description The relying party, for the WebAuthn Signal API. */
            rp_id: string;
            /** @description The user handle in base64url, for the WebAuthn Signal API; null before the first passkey. */
            user_handle: string | null;
        };
        PasskeyChange: {
            /** @description The name that you see in the list. */
            name: string;
        };
        Login: {
            /** Format: email */
            email: string;
            /** Format: password */
            password: string;
            /**
             * @description How tokens travel: in the body (`bearer`, the default), or in cookies that scripts cannot read (`cookie`). It has no effect if the `session` strategy issues.
             * @enum {string}
             */
            transport?: "bearer" | "cookie";
        };
        MeReply: {
            /** @enum {boolean} */
            logged_in: true;
            email: string;
        } | {
            /** @enum {boolean} */
            logged_in: false;
            /** @enum {string} */
            action?: "login" | "refresh";
        };
        Logout: {
            /** @description The `refresh_token` of a sign-in or refresh. */
            refresh_token?: string;
        };
        LogoutReply: {
            /** @enum {boolean} */
            logged_in: false;
            /** @enum {string} */
            action?: "login";
        };
        SecondFactor: {
            /** @description The `mfa_token` of the sign-in. */
            mfa_token: string;
            /** @description The six digits that the authenticator app shows. Spaces do not matter. */
            code?: string;
            /** @description One of the recovery codes. Case, spaces and dashes do not matter. */
            recovery_code?: string;
            credential?: components["schemas"]["PasskeyAssertion"];
        };
        /** @description The `toJSON()` of `navigator.credentials.get()`: `AuthenticationResponseJSON` of WebAuthn. */
        PasskeyAssertion: {
            id: string;
            rawId: string;
            /** @enum {string} */
            type: "public-key";
            response: {
                clientDataJSON: string;
                authenticatorData: string;
                signature: string;
                userHandle?: string;
            };
        };
        PasskeyRequest: {
            /** @description The `mfa_token` of a sign-in, to use the passkey as its second factor. */
            mfa_token?: string;
            /**
             * @description With `reauthentication`, for `POST /reauthenticate` in the session of this request. `sign_in` by default.
             * @enum {string}
             */
            purpose?: "sign_in" | "reauthentication";
        };
        PasskeyRequestOptions: {
            rpId: string;
            /** @description Valid for one answer, within five minutes. */
            challenge: string;
            /** @description Empty at a sign-in: the passkey identifies its user. */
            allowCredentials: {
                id: string;
                /** @enum {string} */
                type: "public-key";
                /** @description The transports of the authenticator, as far as they are known. */
                transports?: ("ble" | "cable" | "hybrid" | "internal" | "nfc" | "smart-card" | "usb")[];
            }[];
            /** @description Milliseconds. */
            timeout: number;
            /** @enum {string} */
            userVerification: "discouraged" | "preferred" | "required";
        };
        PasskeySignIn: {
            credential: components["schemas"]["PasskeyAssertion"];
            /**
             * @description How tokens travel: in the body (`bearer`, the default), or in cookies that scripts cannot read (`cookie`). It has no effect if the `session` strategy issues.
             * @enum {string}
             */
            transport?: "bearer" | "cookie";
        };
        Reauthenticate: {
            /** Format: password */
            password?: string;
            /** @description The six digits that the authenticator app shows. Spaces do not matter. */
            code?: string;
            /** @description One of the recovery codes. Case, spaces and dashes do not matter. */
            recovery_code?: string;
            credential?: components["schemas"]["PasskeyAssertion"];
        };
        /** @description A problem (RFC 9457). Branch on `code`, which is stable. */
        Problem: {
            /**
             * Format: uri
             * @description The kind of problem.
             */
            type: string;
            /** @description The same for every occurrence. */
            title: string;
            /** @description The HTTP status. */
            status: number;
            /** @description Details of this occurrence, for humans. */
            detail: string;
            /** @enum {string} */
            code: "validation_failed" | "malformed_body" | "malformed_request" | "weak_password" | "totp_code_wrong" | "token_invalid" | "passkey_not_accepted" | "conflicting_credentials" | "unauthorized_client" | "authentication_required" | "credential_invalid" | "credential_expired" | "credential_revoked" | "invalid_credentials" | "passkey_refused" | "mfa_required" | "mfa_token_invalid" | "mfa_failed" | "password_change_required" | "step_up_required" | "refresh_invalid" | "refresh_expired" | "refresh_revoked" | "refresh_reused" | "invalid_client" | "cross_site_request" | "current_password_wrong" | "reauthentication_failed" | "factor_required" | "forbidden" | "unsupported_requirement" | "not_found" | "method_not_allowed" | "not_acceptable" | "request_timeout" | "email_taken" | "last_admin" | "totp_not_started" | "no_second_factor" | "passkey_exists" | "last_login_method" | "limit_reached" | "body_too_large" | "uri_too_long" | "unsupported_media_type" | "expectation_failed" | "rate_limited" | "headers_too_large" | "internal_error" | "transfer_coding_not_implemented" | "service_unavailable" | "breach_check_unavailable" | "overloaded" | "not_ready";
            /** @description The id of the request in the log. */
            request_id: string;
            /**
             * @description What a client can do about a 401.
             * @enum {string}
             */
            action?: "login" | "refresh" | "step_up";
            /** @description All invalid fields. */
            errors?: {
                /** @description Empty for the body as a whole. */
                path: string;
                message: string;
                /**
                 * @description Of a weak password: the reason, as a stable word.
                 * @enum {string}
                 */
                reason?: "too_short" | "common" | "context_specific" | "guessable" | "breached" | "unchanged";
            }[];
            /**
             * @description Why a password is weak: the first of the reasons in `errors`.
             * @enum {string}
             */
            reason?: "too_short" | "common" | "context_specific" | "guessable" | "breached" | "unchanged";
            /** @description Why the password is easy to guess, and how to improve it. */
            feedback?: {
                warning?: string;
                suggestions: string[];
            };
            /** @description Represents a sign-in that lacks a second factor, for `POST /mfa`. */
            mfa_token?: string;
            /** @description The factors that can complete it. */
            factors?: ("totp" | "passkey" | "recovery_code")[];
            /** @description The exhausted quotas. */
            "violated-policies"?: ("default" | "login" | "signup")[];
            /** @description The health checks, each with its status. */
            checks?: {
                [key: string]: {
                    /** @enum {string} */
                    status: "up" | "down";
                    /** @enum {string} */
                    connection?: "off" | "up" | "down";
                    /** @enum {string} */
                    delivery?: "smtp" | "mailbox" | "off";
                };
            };
        };
        ValidationFailedProblem: components["schemas"]["Problem"] & {
            /** @enum {string} */
            code: "validation_failed";
            /** @description All invalid fields. */
            errors: {
                /** @description Empty for the body as a whole. */
                path: string;
                message: string;
                /**
                 * @description Of a weak password: the reason, as a stable word.
                 * @enum {string}
                 */
                reason?: "too_short" | "common" | "context_specific" | "guessable" | "breached" | "unchanged";
            }[];
        };
        MalformedBodyProblem: components["schemas"]["Problem"] & {
            /** @enum {string} */
            code: "malformed_body";
        };
        MalformedRequestProblem: components["schemas"]["Problem"] & {
            /** @enum {string} */
            code: "malformed_request";
        };
        WeakPasswordProblem: components["schemas"]["Problem"] & {
            /** @enum {string} */
            code: "weak_password";
            /** @description All invalid fields. */
            errors: {
                /** @description Empty for the body as a whole. */
                path: string;
                message: string;
                /**
                 * @description Of a weak password: the reason, as a stable word.
                 * @enum {string}
                 */
                reason?: "too_short" | "common" | "context_specific" | "guessable" | "breached" | "unchanged";
            }[];
            /**
             * @description Why a password is weak: the first of the reasons in `errors`.
             * @enum {string}
             */
            reason: "too_short" | "common" | "context_specific" | "guessable" | "breached" | "unchanged";
        };
        TotpCodeWrongProblem: components["schemas"]["Problem"] & {
            /** @enum {string} */
            code: "totp_code_wrong";
        };
        TokenInvalidProblem: components["schemas"]["Problem"] & {
            /** @enum {string} */
            code: "token_invalid";
        };
        PasskeyNotAcceptedProblem: components["schemas"]["Problem"] & {
            /** @enum {string} */
            code: "passkey_not_accepted";
            /** @description All invalid fields. */
            errors: {
                /** @description Empty for the body as a whole. */
                path: string;
                message: string;
                /**
                 * @description Of a weak password: the reason, as a stable word.
                 * @enum {string}
                 */
                reason?: "too_short" | "common" | "context_specific" | "guessable" | "breached" | "unchanged";
            }[];
        };
        ConflictingCredentialsProblem: components["schemas"]["Problem"] & {
            /** @enum {string} */
            code: "conflicting_credentials";
        };
        AuthenticationRequiredProblem: components["schemas"]["Problem"] & {
            /** @enum {string} */
            code: "authentication_required";
            /** @enum {string} */
            action: "login";
        };
        CredentialInvalidProblem: components["schemas"]["Problem"] & {
            /** @enum {string} */
            code: "credential_invalid";
            /** @enum {string} */
            action: "login";
        };
        CredentialExpiredProblem: components["schemas"]["Problem"] & {
            /** @enum {string} */
            code: "credential_expired";
            /**
             * @description What a client can do about a 401.
             * @enum {string}
             */
            action: "login" | "refresh" | "step_up";
        };
        CredentialRevokedProblem: components["schemas"]["Problem"] & {
            /** @enum {string} */
            code: "credential_revoked";
            /** @enum {string} */
            action: "login";
        };
        InvalidCredentialsProblem: components["schemas"]["Problem"] & {
            /** @enum {string} */
            code: "invalid_credentials";
            /** @enum {string} */
            action: "login";
        };
        PasskeyRefusedProblem: components["schemas"]["Problem"] & {
            /** @enum {string} */
            code: "passkey_refused";
            /** @enum {string} */
            action: "login";
        };
        MfaRequiredProblem: components["schemas"]["Problem"] & {
            /** @enum {string} */
            code: "mfa_required";
            /** @enum {string} */
            action: "login";
            /** @description Represents a sign-in that lacks a second factor, for `POST /mfa`. */
            mfa_token: string;
            /** @description The factors that can complete it. */
            factors: ("totp" | "passkey" | "recovery_code")[];
        };
        MfaTokenInvalidProblem: components["schemas"]["Problem"] & {
            /** @enum {string} */
            code: "mfa_token_invalid";
            /** @enum {string} */
            action: "login";
        };
        MfaFailedProblem: components["schemas"]["Problem"] & {
            /** @enum {string} */
            code: "mfa_failed";
            /** @enum {string} */
            action: "login";
        };
        PasswordChangeRequiredProblem: components["schemas"]["Problem"] & {
            /** @enum {string} */
            code: "password_change_required";
            /** @enum {string} */
            action: "login";
        };
        StepUpRequiredProblem: components["schemas"]["Problem"] & {
            /** @enum {string} */
            code: "step_up_required";
            /** @enum {string} */
            action: "step_up";
        };
        RefreshInvalidProblem: components["schemas"]["Problem"] & {
            /** @enum {string} */
            code: "refresh_invalid";
            /** @enum {string} */
            action: "login";
        };
        RefreshExpiredProblem: components["schemas"]["Problem"] & {
            /** @enum {string} */
            code: "refresh_expired";
            /** @enum {string} */
            action: "login";
        };
        RefreshRevokedProblem: components["schemas"]["Problem"] & {
            /** @enum {string} */
            code: "refresh_revoked";
            /** @enum {string} */
            action: "login";
        };
        RefreshReusedProblem: components["schemas"]["Problem"] & {
            /** @enum {string} */
            code: "refresh_reused";
            /** @enum {string} */
            action: "login";
        };
        CrossSiteRequestProblem: components["schemas"]["Problem"] & {
            /** @enum {string} */
            code: "cross_site_request";
        };
        CurrentPasswordWrongProblem: components["schemas"]["Problem"] & {
            /** @enum {string} */
            code: "current_password_wrong";
        };
        ReauthenticationFailedProblem: components["schemas"]["Problem"] & {
            /** @enum {string} */
            code: "reauthentication_failed";
        };
        FactorRequiredProblem: components["schemas"]["Problem"] & {
            /** @enum {string} */
            code: "factor_required";
            /** @description The factors that can complete it. */
            factors: ("totp" | "passkey" | "recovery_code")[];
        };
        ForbiddenProblem: components["schemas"]["Problem"] & {
            /** @enum {string} */
            code: "forbidden";
        };
        UnsupportedRequirementProblem: components["schemas"]["Problem"] & {
            /** @enum {string} */
            code: "unsupported_requirement";
        };
        NotFoundProblem: components["schemas"]["Problem"] & {
            /** @enum {string} */
            code: "not_found";
        };
        NotAcceptableProblem: components["schemas"]["Problem"] & {
            /** @enum {string} */
            code: "not_acceptable";
        };
        EmailTakenProblem: components["schemas"]["Problem"] & {
            /** @enum {string} */
            code: "email_taken";
        };
        LastAdminProblem: components["schemas"]["Problem"] & {
            /** @enum {string} */
            code: "last_admin";
        };
        TotpNotStartedProblem: components["schemas"]["Problem"] & {
            /** @enum {string} */
            code: "totp_not_started";
        };
        NoSecondFactorProblem: components["schemas"]["Problem"] & {
            /** @enum {string} */
            code: "no_second_factor";
        };
        PasskeyExistsProblem: components["schemas"]["Problem"] & {
            /** @enum {string} */
            code: "passkey_exists";
        };
        LastLoginMethodProblem: components["schemas"]["Problem"] & {
            /** @enum {string} */
            code: "last_login_method";
        };
        LimitReachedProblem: components["schemas"]["Problem"] & {
            /** @enum {string} */
            code: "limit_reached";
        };
        BodyTooLargeProblem: components["schemas"]["Problem"] & {
            /** @enum {string} */
            code: "body_too_large";
        };
        UnsupportedMediaTypeProblem: components["schemas"]["Problem"] & {
            /** @enum {string} */
            code: "unsupported_media_type";
        };
        RateLimitedProblem: components["schemas"]["Problem"] & {
            /** @enum {string} */
            code: "rate_limited";
            /** @description The exhausted quotas. */
            "violated-policies": ("default" | "login" | "signup")[];
        };
        InternalErrorProblem: components["schemas"]["Problem"] & {
            /** @enum {string} */
            code: "internal_error";
        };
        ServiceUnavailableProblem: components["schemas"]["Problem"] & {
            /** @enum {string} */
            code: "service_unavailable";
        };
        BreachCheckUnavailableProblem: components["schemas"]["Problem"] & {
            /** @enum {string} */
            code: "breach_check_unavailable";
        };
        OverloadedProblem: components["schemas"]["Problem"] & {
            /** @enum {string} */
            code: "overloaded";
        };
        NotReadyProblem: components["schemas"]["Problem"] & {
            /** @enum {string} */
            code: "not_ready";
            /** @description The health checks, each with its status. */
            checks: {
                [key: string]: {
                    /** @enum {string} */
                    status: "up" | "down";
                    /** @enum {string} */
                    connection?: "off" | "up" | "down";
                    /** @enum {string} */
                    delivery?: "smtp" | "mailbox" | "off";
                };
            };
        };
        /** @description The error code (RFC 6749 §5.2). */
        OAuthError: {
            /** @enum {string} */
            error: "invalid_request" | "invalid_client" | "unauthorized_client" | "temporarily_unavailable" | "server_error";
            /** @description Details of this occurrence, for humans. */
            error_description: string;
        };
    };
    headers: {
        /**
         * @description For each policy that counted the request: the remaining requests (`r`), and the seconds until the quota is full again (`t`). Absent where no limit is configured.
         * @example "default";r=599;t=60
         */
        RateLimit: string;
        /**
         * @description For each policy that counted the request: the requests (`q`) in a window of seconds (`w`). Absent where no limit is configured.
         * @example "default";q=600;w=60
         */
        "RateLimit-Policy": string;
    };
}
interface operations {
    listEvents: {
        parameters: {
            query?: {
                /** @description The maximum number of events. */
                limit?: number;
                /** @description The `next_cursor` of the previous page. */
                cursor?: string;
            };
            path?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The recorded events of the account of the caller, newest first */
            200: {
                content: {
                    "application/json": components["schemas"]["Events"];
                };
            };
        };
    };
    signup: {
        parameters: {
            query?: never;
            path?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Signup"];
            };
        };
        responses: {
            /** @description The account exists */
            201: {
                content: {
                    "application/json": components["schemas"]["SignupReply"];
                };
            };
        };
    };
    getAccount: {
        parameters: {
            query?: never;
            path?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The account of the caller */
            200: {
                content: {
                    "application/json": components["schemas"]["Account"];
                };
            };
        };
    };
    deleteAccount: {
        parameters: {
            query?: never;
            path?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The account was deleted */
            204: {
            };
        };
    };
    changeProfile: {
        parameters: {
            query?: never;
            path?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Profile"];
            };
        };
        responses: {
            /** @description The account as it is now */
            200: {
                content: {
                    "application/json": components["schemas"]["Account"];
                };
            };
        };
    };
    getSignInMethods: {
        parameters: {
            query?: never;
            path?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The sign-in methods of the caller, and what is left of them */
            200: {
                content: {
                    "application/json": components["schemas"]["SignInMethods"];
                };
            };
        };
    };
    changePassword: {
        parameters: {
            query?: never;
            path?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PasswordChange"];
            };
        };
        responses: {
            /** @description The password is changed */
            204: {
            };
        };
    };
    exportAccount: {
        parameters: {
            query?: never;
            path?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The account and all its data */
            200: {
                content: {
                    "application/json": components["schemas"]["AccountExport"];
                };
            };
        };
    };
    listSessions: {
        parameters: {
            query?: never;
            path?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The live sessions of the caller, newest first */
            200: {
                content: {
                    "application/json": components["schemas"]["Sessions"];
                };
            };
        };
    };
    endSession: {
        parameters: {
            query?: never;
            path: {
                /** @description The id of one of your sessions. */
                id: string;
            };
        };
        requestBody?: never;
        responses: {
            /** @description That session has ended */
            204: {
            };
        };
    };
    forgotPassword: {
        parameters: {
            query?: never;
            path?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PasswordForgotten"];
            };
        };
        responses: {
            /** @description If the account exists, a mail is sent to its address */
            202: {
            };
        };
    };
    resetPassword: {
        parameters: {
            query?: never;
            path?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PasswordReset"];
            };
        };
        responses: {
            /** @description The password is changed */
            204: {
            };
        };
    };
    changeEmail: {
        parameters: {
            query?: never;
            path?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["EmailChange"];
            };
        };
        responses: {
            /** @description A mail is sent to the new address */
            202: {
            };
        };
    };
    verifyEmail: {
        parameters: {
            query?: never;
            path?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["EmailProof"];
            };
        };
        responses: {
            /** @description The address is confirmed */
            204: {
            };
        };
    };
    resendVerification: {
        parameters: {
            query?: never;
            path?: never;
        };
        requestBody?: never;
        responses: {
            /** @description If the address is not confirmed yet, a mail is sent */
            202: {
            };
        };
    };
    listUsers: {
        parameters: {
            query?: {
                /** @description Accounts whose address begins with this text, in any case. */
                email_prefix?: string;
                role?: "user" | "admin";
                state?: "enabled" | "disabled";
                /** @description The maximum number of items: 1 to 100, 20 by default. */
                limit?: number;
                /** @description The `next_cursor` of the previous page. */
                cursor?: string;
            };
            path?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of accounts, in order of creation */
            200: {
                content: {
                    "application/json": components["schemas"]["AdministeredUsers"];
                };
            };
        };
    };
    getUser: {
        parameters: {
            query?: never;
            path: {
                /** @description The id of an account. */
                id: string;
            };
        };
        requestBody?: never;
        responses: {
            /** @description The account, without secrets */
            200: {
                content: {
                    "application/json": components["schemas"]["InspectedUser"];
                };
            };
        };
    };
    changeUser: {
        parameters: {
            query?: never;
            path: {
                /** @description The id of an account. */
                id: string;
            };
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["UserChange"];
            };
        };
        responses: {
            /** @description The changed account */
            200: {
                content: {
                    "application/json": components["schemas"]["InspectedUser"];
                };
            };
        };
    };
    listAuditEvents: {
        parameters: {
            query?: {
                user_id?: string;
                kind?: components["schemas"]["EventKind"];
                since?: string;
                until?: string;
                /** @description The maximum number of items: 1 to 100, 20 by default. */
                limit?: number;
                /** @description The `next_cursor` of the previous page. */
                cursor?: string;
            };
            path?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of events, newest first */
            200: {
                content: {
                    "application/json": components["schemas"]["AuditEvents"];
                };
            };
        };
    };
    listUserSessions: {
        parameters: {
            query?: never;
            path: {
                /** @description The id of an account. */
                id: string;
            };
        };
        requestBody?: never;
        responses: {
            /** @description The live sessions of the account, newest first */
            200: {
                content: {
                    "application/json": components["schemas"]["Sessions"];
                };
            };
        };
    };
    endUserSessions: {
        parameters: {
            query?: never;
            path: {
                /** @description The id of an account. */
                id: string;
            };
        };
        requestBody?: never;
        responses: {
            /** @description All its sessions have ended */
            200: {
                content: {
                    "application/json": components["schemas"]["EndedSessions"];
                };
            };
        };
    };
    endUserSession: {
        parameters: {
            query?: never;
            path: {
                /** @description The id of an account. */
                id: string;
                session_id: string;
            };
        };
        requestBody?: never;
        responses: {
            /** @description That session has ended */
            204: {
            };
        };
    };
    getMetadata: {
        parameters: {
            query?: never;
            path?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Authorization server metadata (RFC 8414) */
            200: {
                content: {
                    "application/json": components["schemas"]["AuthorizationServerMetadata"];
                };
            };
        };
    };
    getJwks: {
        parameters: {
            query?: never;
            path?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The key set (RFC 7517) */
            200: {
                content: {
                    "application/jwk-set+json": components["schemas"]["JsonWebKeySet"];
                };
            };
        };
    };
    getRevocations: {
        parameters: {
            query?: {
                /** @description The `cursor` of an earlier answer: returns the new entries since then, or all. */
                cursor?: string;
            };
            path?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The list, or the new entries since the cursor */
            200: {
                content: {
                    "application/revocations+jwt": components["schemas"]["Revocations"];
                };
            };
        };
    };
    introspect: {
        parameters: {
            query?: never;
            path?: never;
        };
        requestBody: {
            content: {
                "application/x-www-form-urlencoded": components["schemas"]["Introspection"];
            };
        };
        responses: {
            /** @description The claims of an active token, or only `"active": false` */
            200: {
                content: {
                    "application/json": components["schemas"]["IntrospectionReply"];
                };
            };
        };
    };
    revoke: {
        parameters: {
            query?: never;
            path?: never;
        };
        requestBody: {
            content: {
                "application/x-www-form-urlencoded": components["schemas"]["Revocation"];
            };
        };
        responses: {
            /** @description The token is invalid */
            200: {
            };
        };
    };
    verify: {
        parameters: {
            query?: never;
            path?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Signed in; headers name the user */
            204: {
            };
        };
    };
    checkLiveness: {
        parameters: {
            query?: never;
            path?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It does */
            200: {
                content: {
                    "application/json": components["schemas"]["Live"];
                };
            };
        };
    };
    checkReadiness: {
        parameters: {
            query?: never;
            path?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It can; Redis may be down, there is a fallback */
            200: {
                content: {
                    "application/json": components["schemas"]["Ready"];
                };
            };
        };
    };
    exchangeCredential: {
        parameters: {
            query?: never;
            path?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["Exchange"];
            };
        };
        responses: {
            /** @description The new credential, as at sign-in */
            200: {
                content: {
                    "application/json": components["schemas"]["LoginReply"];
                };
            };
        };
    };
    refresh: {
        parameters: {
            query?: never;
            path?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["Refresh"];
            };
        };
        responses: {
            /** @description New tokens */
            200: {
                content: {
                    "application/json": components["schemas"]["RefreshReply"];
                };
            };
        };
    };
    beginTotp: {
        parameters: {
            query?: never;
            path?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The secret for the app; it is not shown again */
            200: {
                content: {
                    "application/json": components["schemas"]["NewTotp"];
                };
            };
        };
    };
    removeTotp: {
        parameters: {
            query?: {
                /** @description Whether to end all other sessions of the caller; false by default. */
                end_other_sessions?: "true" | "false";
            };
            path?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The authenticator app is removed */
            204: {
            };
        };
    };
    confirmTotp: {
        parameters: {
            query?: never;
            path?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["TotpConfirmation"];
            };
        };
        responses: {
            /** @description The authenticator app is active */
            204: {
            };
        };
    };
    createRecoveryCodes: {
        parameters: {
            query?: never;
            path?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The codes; they are not shown again */
            200: {
                content: {
                    "application/json": components["schemas"]["RecoveryCodes"];
                };
            };
        };
    };
    beginPasskeyRegistration: {
        parameters: {
            query?: never;
            path?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["PasskeyRegistrationRequest"];
            };
        };
        responses: {
            /** @description Options for a new passkey, to be completed in this session */
            200: {
                content: {
                    "application/json": components["schemas"]["PasskeyCreationOptions"];
                };
            };
        };
    };
    addPasskey: {
        parameters: {
            query?: never;
            path?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PasskeyRegistration"];
            };
        };
        responses: {
            /** @description The passkey is added */
            201: {
                content: {
                    "application/json": components["schemas"]["Passkey"];
                };
            };
        };
    };
    listPasskeys: {
        parameters: {
            query?: never;
            path?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The passkeys of the caller, oldest first */
            200: {
                content: {
                    "application/json": components["schemas"]["Passkeys"];
                };
            };
        };
    };
    removePasskey: {
        parameters: {
            query?: {
                /** @description Whether to end all other sessions of the caller; false by default. */
                end_other_sessions?: "true" | "false";
            };
            path: {
                /** @description The id of one of your passkeys. */
                id: string;
            };
        };
        requestBody?: never;
        responses: {
            /** @description The passkey is removed */
            204: {
            };
        };
    };
    renamePasskey: {
        parameters: {
            query?: never;
            path: {
                /** @description The id of one of your passkeys. */
                id: string;
            };
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PasskeyChange"];
            };
        };
        responses: {
            /** @description The passkey, with its new name */
            200: {
                content: {
                    "application/json": components["schemas"]["Passkey"];
                };
            };
        };
    };
    login: {
        parameters: {
            query?: never;
            path?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Login"];
            };
        };
        responses: {
            /** @description Signed in */
            200: {
                content: {
                    "application/json": components["schemas"]["LoginReply"];
                };
            };
        };
    };
    getMe: {
        parameters: {
            query?: never;
            path?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The user of the credential, or none */
            200: {
                content: {
                    "application/json": components["schemas"]["MeReply"];
                };
            };
        };
    };
    logout: {
        parameters: {
            query?: {
                /** @description Which sessions end: this one (`local`, the default), all `others`, or all (`global`). */
                scope?: "local" | "others" | "global";
            };
            path?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["Logout"];
            };
        };
        responses: {
            /** @description Signed out; the presented credentials are invalid */
            200: {
                content: {
                    "application/json": components["schemas"]["LogoutReply"];
                };
            };
        };
    };
    completeLogin: {
        parameters: {
            query?: never;
            path?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SecondFactor"];
            };
        };
        responses: {
            /** @description Signed in */
            200: {
                content: {
                    "application/json": components["schemas"]["LoginReply"];
                };
            };
        };
    };
    beginPasskeyLogin: {
        parameters: {
            query?: never;
            path?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["PasskeyRequest"];
            };
        };
        responses: {
            /** @description Options for one use */
            200: {
                content: {
                    "application/json": components["schemas"]["PasskeyRequestOptions"];
                };
            };
        };
    };
    loginWithPasskey: {
        parameters: {
            query?: never;
            path?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PasskeySignIn"];
            };
        };
        responses: {
            /** @description Signed in */
            200: {
                content: {
                    "application/json": components["schemas"]["LoginReply"];
                };
            };
        };
    };
    reauthenticate: {
        parameters: {
            query?: never;
            path?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Reauthenticate"];
            };
        };
        responses: {
            /** @description The session is fresh */
            204: {
            };
        };
    };
}
