import './badge.css';
import '../style.css';
import './controls.css';
import { render } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { createClient } from '../../client/client.entry.js';
import { type DevCredential, readCredential } from './credential.ts';
import { type Exchange, send } from './wire.ts';

const client = createClient();

async function becomeDemo(role: 'user' | 'admin'): Promise<Exchange> {
  const response = await fetch('/dev/demo', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ role }),
  });
  const account = (await response.json()) as { email: string; password: string };
  await client.signIn(account);
  return {
    request: 'POST /login',
    sent: JSON.stringify({ email: account.email, password: '…' }, null, 2),
    status: 200,
    answer: JSON.stringify(client.state, null, 2),
  };
}

function Controls() {
  const [found, setFound] = useState<DevCredential | null>(null);
  const [wire, setWire] = useState<Exchange | null>(null);
  const [error, setError] = useState('');
  const look = () => readCredential().then(setFound);
  useEffect(() => void look(), []);
  const button = (text: string, act: () => Promise<Exchange>) => (
    <button
      type="button"
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
  const sid = found?.credentials[0]?.sid;
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
            This process runs <strong id="strategy">{found?.strategy}</strong>.{' '}
            <span class="muted">Safe next steps:</span>
          </p>
          <div class="buttons">
            {found?.next_steps.map((step) =>
              button(`Switch to ${step}`, () => send('POST', '/dev/strategy', { strategy: step })),
            )}
          </div>
        </section>
        <section class="card">
          <h2>Credential</h2>
          <div class="buttons">
            {button('Who am I', () => send('GET', '/me'))}
            {button('Expire', () => send('POST', '/dev/expire'))}
            {button('Refresh', () => send('POST', '/refresh'))}
            {button('Exchange', () => send('POST', '/session/exchange', { transport: 'cookie' }))}
            {sid && button('Revoke', () => send('DELETE', `/sessions/${sid}`))}
          </div>
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
            {wire ? (
              <pre id="wire">{wireText(wire)}</pre>
            ) : (
              <p class="muted">The last request and its answer appear here, with secrets masked.</p>
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
