/** What the server tells about the credentials of this browser. */
export interface DevCredential {
  readonly strategy: string;
  readonly next_steps: readonly string[];
  readonly credentials: readonly {
    readonly kind: string;
    readonly status: string;
    readonly sid: string | null;
    readonly email: string | null;
    readonly roles: readonly string[];
    readonly expires_at: string | null;
    readonly audience: unknown;
    readonly claims: object | null;
  }[];
}

export async function readCredential(): Promise<DevCredential> {
  const response = await fetch('/dev/credential');
  return (await response.json()) as DevCredential;
}
