import './badge.css';
import '../style.css';
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
      <h1>Development controls</h1>
      <section class="card stack">
        <h2>Sign in</h2>
        {button('Demo user', () => becomeDemo('user'))}
        {button('Demo administrator', () => becomeDemo('admin'))}
      </section>
      <section class="card stack">
        <h2>Strategy</h2>
        <p>
          This process runs <strong id="strategy">{found?.strategy}</strong>. Safe next steps:
        </p>
        {found?.next_steps.map((step) =>
          button(`Switch to ${step}`, () => send('POST', '/dev/strategy', { strategy: step })),
        )}
      </section>
      <section class="card stack">
        <h2>Credential</h2>
        <pre id="credential">{found ? JSON.stringify(found.credentials, null, 2) : ''}</pre>
        {button('Expire', () => send('POST', '/dev/expire'))}
        {button('Refresh', () => send('POST', '/refresh'))}
        {button('Exchange', () => send('POST', '/session/exchange', { transport: 'cookie' }))}
        {sid && button('Revoke', () => send('DELETE', `/sessions/${sid}`))}
        {button('Who am I', () => send('GET', '/me'))}
      </section>
      <section class="card stack">
        <h2>On the wire</h2>
        <p role="alert">{error}</p>
        <div role="status">
          {wire && <pre id="wire">{`${wire.request}\n${wire.sent}\n\n${wire.status}\n${wire.answer}`}</pre>}
        </div>
      </section>
      <p>
        <a href="/">Start</a> · <a href="/account">Account</a> · <a href="/dev/mailbox">Mailbox</a> ·{' '}
        <a href="/docs">API docs</a>
      </p>
    </>
  );
}

const main = document.querySelector('main');
if (main) {
  main.classList.add('wide');
  main.replaceChildren();
  render(<Controls />, main);
}
