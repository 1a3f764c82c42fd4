import './badge.css';
import '../style.css';
import './controls.css';
import { render } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { createClient } from '../../client/client.entry.js';
import { type DevCredential, readCredential } from './credential.ts';
import { type Exchange, send, watchedFetch, wireOfClient } from './wire.ts';

const client = createClient({ fetch: watchedFetch });

/** What the client sent last to a route. */
function sentBy(route: string): Exchange[] {
  const exchange = wireOfClient.get(route);
  return exchange ? [exchange] : [];
}

async function becomeDemo(role: 'user' | 'admin'): Promise<Exchange[]> {
  const response = await fetch('/dev/demo', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ role }),
  });
  const account = (await response.json()) as { email: string; password: string };
  await client.signIn(account);
  return sentBy('POST /login');
}

/** Takes a step, then exchanges the credential, which clients do only once an hour: else the next step can sign out. */
async function switchTo(strategy: string): Promise<Exchange[]> {
  const step = await send('POST', '/dev/strategy', { strategy });
  if (step.status !== 200 || !(await client.refresh())) return [step];
  await client.exchange();
  return [step, ...sentBy('POST /session/exchange')];
}

function Controls() {
  const [found, setFound] = useState<DevCredential | null>(null);
  const [wire, setWire] = useState<readonly Exchange[]>([]);
  const [error, setError] = useState('');
  const look = () => readCredential().then(setFound);
  useEffect(() => void look(), []);
  const button = (text: string, act: () => Promise<Exchange[]>, isDisabled = false) => (
    <button
      key={text}
      type="button"
      disabled={isDisabled}
      onClick={() =>
        void act()
          .then(setWire)
          .then(() => setError(''))
          .catch((failure: unknown) => setError(String(failure)))
          .finally(look)
      }
    >
      {text}
    </button>
  );
  const [credential] = found?.credentials ?? [];
  const sid = credential?.sid;
  const call = (text: string, method: string, path: string, body?: object, isDisabled?: boolean) =>
    button(text, async () => [await send(method, path, body)], isDisabled);
  return (
    <>
      <header>
        <h1>Development controls</h1>
        <nav class="buttons" aria-label="Pages">
          <a href="/">Start</a>
          <a href="/account">Account</a>
          <a href="/dev/mailbox">Mailbox</a>
          <a href="/docs">API docs</a>
        </nav>
      </header>
      <div class="sections controls">
        <section class="card">
          <h2>Sign in</h2>
          <p class="muted">As a new account, made for this.</p>
          <div class="buttons">
            {button('Demo user', () => becomeDemo('user'))}
            {button('Demo administrator', () => becomeDemo('admin'))}
          </div>
        </section>
        <section class="card">
          <h2>Strategy</h2>
          <p>
            This process runs <strong id="strategy">{found?.strategy}</strong>.
          </p>
          <p class="muted">
            A step changes which kinds of credentials the server issues and accepts. This page then exchanges
            its own credential for the kind that is issued.
          </p>
          <h3>Next steps</h3>
          <div class="buttons">
            {found?.next_steps.map((step) => button(`Switch to ${step}`, () => switchTo(step)))}
          </div>
        </section>
        <section class="card">
          <h2>Credential</h2>
          <div class="buttons">
            {call('Who am I', 'GET', '/me')}
            {call('Expire', 'POST', '/dev/expire')}
            {call('Refresh', 'POST', '/refresh', undefined, credential?.kind === 'session')}
            {call('Exchange', 'POST', '/session/exchange', { transport: 'cookie' })}
            {sid && call('Revoke', 'DELETE', `/sessions/${sid}`)}
          </div>
          {credential?.kind === 'session' && (
            <p class="muted">A session cookie has no refresh token, so there is nothing to refresh.</p>
          )}
          <pre id="credential" aria-label="Credential">
            {found ? credentialText(found) : ''}
          </pre>
        </section>
        <section class="card">
          <h2>On the wire</h2>
          <p role="alert" class="error">
            {error}
          </p>
          <div role="status">
            {wire.length > 0 ? (
              <pre id="wire">{wire.map(wireText).join('\n\n')}</pre>
            ) : (
              <p class="muted">The last requests and their answers appear here, with secrets masked.</p>
            )}
          </div>
        </section>
      </div>
    </>
  );
}

function credentialText({ credentials }: DevCredential): string {
  return credentials.length === 0 ? 'Signed out' : JSON.stringify(credentials, null, 2);
}

/** The parts that are there, each on lines of its own. */
function wireText({ request, sent, status, answer }: Exchange): string {
  return [
    [request, sent],
    [String(status), answer],
  ]
    .map((part) => part.filter(Boolean).join('\n'))
    .join('\n\n');
}

const main = document.querySelector('main');
if (main) {
  main.classList.add('wide');
  main.replaceChildren();
  render(<Controls />, main);
}
