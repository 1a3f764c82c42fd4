import type { TestApp } from './app.js';
import { cookieValue, type Reply } from './client.js';
import { PASSWORD, signUp } from './strategies.js';

/** A client that keeps what it is given, as a browser or an application does. */
export class Holder {
  private cookies = new Map<string, string>();
  private accessToken: string | undefined;
  refreshToken: string | undefined;
  sessionId = '';

  constructor(readonly email: string) {}

  static async signIn(
    app: TestApp,
    email?: string,
    transport: 'bearer' | 'cookie' = 'bearer',
  ): Promise<Holder> {
    const holder = new Holder(email ?? (await signUp(app)));
    const body = { email: holder.email, password: PASSWORD, transport };
    const reply = await app.client.post('/login', body);
    if (reply.status !== 200) throw new Error(`sign-in failed: ${reply.text}`);
    holder.take(reply);
    return holder;
  }

  get bearer(): string {
    return this.accessToken ?? '';
  }

  get kind(): 'session' | 'jwt' {
    return this.cookies.has('session') ? 'session' : 'jwt';
  }

  /** What it sends. */
  get headers(): Record<string, string> {
    if (this.accessToken !== undefined) return { authorization: `Bearer ${this.accessToken}` };
    return { cookie: [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ') };
  }

  /** A client that goes on with what this one has now. */
  copy(): Holder {
    const copy = new Holder(this.email);
    copy.cookies = new Map(this.cookies);
    copy.accessToken = this.accessToken;
    copy.refreshToken = this.refreshToken;
    copy.sessionId = this.sessionId;
    return copy;
  }

  /** Keeps the credential of a reply in place of the one it had; a reply without any changes nothing. */
  take({ body, setCookies }: Reply): void {
    if (body['session']) this.sessionId = body['session'].id;
    const cookies = setCookies.map((line) => line.split(';')[0]?.split('=') as [string, string]);
    if (cookies.length === 0 && body['access_token'] === undefined) return;
    this.accessToken = body['access_token'];
    this.cookies = new Map(cookies.filter(([name, value]) => value !== '' && !name.startsWith('__Host-')));
    this.refreshToken = body['refresh_token'] ?? this.cookies.get('refresh_token');
  }

  open(app: TestApp): Promise<Reply> {
    return app.client.get('/users/me', this.headers);
  }

  async exchange(app: TestApp, transport?: 'bearer' | 'cookie'): Promise<Reply> {
    return app.client.post('/session/exchange', transport && { transport }, this.headers);
  }

  refresh(app: TestApp): Promise<Reply> {
    return this.accessToken === undefined
      ? app.client.post('/refresh', undefined, this.headers)
      : app.client.post('/refresh', { refresh_token: this.refreshToken });
  }
}

/** What there is of credentials in a reply. */
export function credentialIn(reply: Reply): string | undefined {
  return (
    cookieValue(reply, 'session') ??
    cookieValue(reply, 'refresh_token') ??
    (reply.body['refresh_token'] as string | undefined)
  );
}
