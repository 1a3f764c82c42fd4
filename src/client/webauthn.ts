import type { Body, Reply } from './routes.js';

export type CreationOptions = Reply<'POST /passkeys/registration/options'>;
export type RequestOptions = Reply<'POST /passkeys/authentication/options'>;
export type NewCredential = Body<'POST /passkeys/registration/verify'>['credential'];
export type Assertion = Body<'POST /passkeys/authentication/verify'>['credential'];

interface BrowserCredential {
  readonly id: string;
  readonly rawId: ArrayBuffer;
  readonly response: Readonly<Record<string, ArrayBuffer | null | undefined>> & {
    getTransports?(): string[];
  };
  toJSON?(): unknown;
}

/** The parts of WebAuthn Level 3 that passkeys use; all but `navigator.credentials` may be missing. */
interface WebAuthn {
  readonly navigator?: {
    readonly credentials?: {
      create(options: object): Promise<BrowserCredential | null>;
      get(options: object): Promise<BrowserCredential | null>;
    };
  };
  readonly PublicKeyCredential?: {
    parseCreationOptionsFromJSON?(options: object): object;
    parseRequestOptionsFromJSON?(options: object): object;
    isConditionalMediationAvailable?(): Promise<boolean>;
    getClientCapabilities?(): Promise<Readonly<Record<string, boolean | undefined>>>;
    signalUnknownCredential?(options: object): Promise<void>;
    signalAllAcceptedCredentials?(options: object): Promise<void>;
    signalCurrentUserDetails?(options: object): Promise<void>;
  };
}

export const webauthn = globalThis as unknown as WebAuthn;

/** The options of `navigator.credentials.create()`. */
export function creationOptions(json: CreationOptions): object {
  const parsed = webauthn.PublicKeyCredential?.parseCreationOptionsFromJSON?.(json);
  if (parsed) return parsed;
  return {
    ...json,
    challenge: bytes(json.challenge),
    user: { ...json.user, id: bytes(json.user.id) },
    excludeCredentials: json.excludeCredentials.map(withBytes),
  };
}

/** The options of `navigator.credentials.get()`. */
export function requestOptions(json: RequestOptions): object {
  const parsed = webauthn.PublicKeyCredential?.parseRequestOptionsFromJSON?.(json);
  if (parsed) return parsed;
  return {
    ...json,
    challenge: bytes(json.challenge),
    allowCredentials: json.allowCredentials.map(withBytes),
  };
}

const RESPONSE_PARTS = [
  'clientDataJSON',
  'attestationObject',
  'authenticatorData',
  'signature',
  'userHandle',
];

/** A credential as JSON. The objects of some password managers have a `toJSON` that throws. */
export function credentialJson(credential: BrowserCredential): unknown {
  try {
    if (credential.toJSON) return credential.toJSON();
  } catch {
    // Read below.
  }
  const { id, rawId, response } = credential;
  const parts = RESPONSE_PARTS.flatMap((name) => {
    const value = response[name];
    return value ? [[name, base64url(value)]] : [];
  });
  const transports = response.getTransports?.();
  return {
    id,
    rawId: base64url(rawId),
    type: 'public-key',
    response: { ...Object.fromEntries(parts), ...(transports && { transports }) },
  };
}

function withBytes<Descriptor extends { id: string }>(descriptor: Descriptor) {
  return { ...descriptor, id: bytes(descriptor.id) };
}

function bytes(text: string): Uint8Array {
  const base64 = text.replaceAll('-', '+').replaceAll('_', '/');
  return Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
}

function base64url(buffer: ArrayBuffer): string {
  const text = String.fromCharCode(...new Uint8Array(buffer));
  return btoa(text).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
}
