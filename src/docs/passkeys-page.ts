/**
 * A page for people on which passkeys can be tried, under the policy of the documentation: no inline script or style. It uses
 * nothing but the public API, as any other page would.
 */
export const PASSKEYS_HTML = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Traffy passkeys</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/passkeys.css">
</head>
<body>
<main>
<h1>Passkeys</h1>
<p>Make an account, add a passkey to it, sign out, and sign in with the passkey alone. The calls behind each button stand in
<a href="/docs">the API documentation</a>.</p>
<noscript><p>This page needs JavaScript.</p></noscript>
<p id="status" role="status" aria-live="polite"></p>

<section id="signed-out" aria-labelledby="account-heading" hidden>
<h2 id="account-heading">Sign in</h2>
<form id="account">
<label>E-mail address <input id="email" type="email" autocomplete="username" required></label>
<label>Password <input id="password" type="password" autocomplete="current-password" required></label>
<p class="buttons">
<button id="signup" type="submit" value="signup">Make an account</button>
<button id="login" type="submit" value="login">Sign in with the password</button>
</p>
</form>
<p class="buttons"><button id="passkey-login" type="button">Sign in with a passkey</button></p>
</section>

<section id="signed-in" aria-labelledby="passkeys-heading" hidden>
<h2 id="passkeys-heading">My passkeys</h2>
<p>Signed in as <strong id="who"></strong>. <button id="logout" type="button">Sign out</button></p>
<ul id="passkeys"></ul>
<form id="new-passkey">
<label>Name <input id="name" maxlength="100" autocomplete="off" placeholder="My phone"></label>
<p class="buttons"><button id="add" type="submit">Add a passkey</button></p>
</form>
</section>
</main>
<script src="/docs/passkeys.js"></script>
</body>
</html>
`;

export const PASSKEYS_CSS = `body { margin: 0; background: #fafafa; color: #1d2733; font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 40rem; margin: 2rem auto; padding: 0 1rem; }
label { display: block; margin: 0.75rem 0; }
input { display: block; width: 100%; box-sizing: border-box; padding: 0.5rem; font: inherit; }
button { padding: 0.5rem 1rem; font: inherit; cursor: pointer; }
.buttons { display: flex; flex-wrap: wrap; gap: 0.5rem; }
#status { min-height: 1.5em; font-weight: 600; }
#status.failed { color: #b00020; }
#passkeys { padding-left: 1.25rem; }
#passkeys button { margin-left: 0.5rem; padding: 0.1rem 0.6rem; }
`;

/** @param publicUrl PUBLIC_URL: passkeys belong to its host. */
export function passkeysScript(publicUrl: string): string {
  return `'use strict';
const HOME = new URL(${JSON.stringify(publicUrl)});
const byId = (id) => document.getElementById(id);

/** An answer that is an error (RFC 9457). */
class Refused extends Error {
  constructor(problem) {
    super(problem.detail);
    this.problem = problem;
  }
}

/** Calls the API. What needs a fresh proof of who one is gets one from a passkey, once. */
async function call(method, path, body) {
  try {
    return await attempt(method, path, body);
  } catch (error) {
    if (error.problem?.code !== 'step_up_required') throw error;
    const options = await attempt('POST', '/passkeys/authentication/options', { purpose: 'reauthentication' });
    if (options.allowCredentials.length === 0) throw error;
    await attempt('POST', '/reauthenticate', { credential: await get(options) });
    return attempt(method, path, body);
  }
}

/** Cookies are the browser's affair; an access token that ran out is renewed once. */
async function attempt(method, path, body) {
  const send = () =>
    fetch(path, {
      method,
      ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
  let reply = await send();
  let answer = await contentOf(reply);
  if (answer.action === 'refresh' && (await fetch('/refresh', { method: 'POST' })).ok) {
    reply = await send();
    answer = await contentOf(reply);
  }
  if (!reply.ok) throw new Refused(answer);
  return answer;
}

async function contentOf(reply) {
  const text = await reply.text();
  return text ? JSON.parse(text) : {};
}

async function create(options) {
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options);
  return (await navigator.credentials.create({ publicKey })).toJSON();
}

async function get(options) {
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
  return (await navigator.credentials.get({ publicKey })).toJSON();
}

const transport = 'cookie';

async function signUp() {
  await call('POST', '/signup', { email: byId('email').value, password: byId('password').value });
  await signIn();
}

async function signIn() {
  try {
    await call('POST', '/login', { email: byId('email').value, password: byId('password').value, transport });
  } catch (error) {
    if (error.problem?.code !== 'mfa_required' || !error.problem.factors.includes('passkey')) throw error;
    await completeWithPasskey(error.problem.mfa_token);
  }
  await show('You are signed in with your password.');
}

/** The password was right, and the account has a passkey: that is the second factor. */
async function completeWithPasskey(mfa_token) {
  const options = await call('POST', '/passkeys/authentication/options', { mfa_token });
  await call('POST', '/mfa', { mfa_token, credential: await get(options) });
}

async function signInWithPasskey() {
  const options = await call('POST', '/passkeys/authentication/options');
  await call('POST', '/passkeys/authentication/verify', { credential: await get(options), transport });
  await show('You are signed in with a passkey.');
}

async function add() {
  const options = await call('POST', '/passkeys/registration/options');
  const name = byId('name').value.trim();
  await call('POST', '/passkeys/registration/verify', { credential: await create(options), ...(name && { name }) });
  byId('name').value = '';
  await show('The passkey was added. Sign out, and sign in with it.');
}

async function rename({ id, name }) {
  const wanted = prompt('What shall it be called?', name)?.trim();
  if (!wanted) return;
  await call('PATCH', '/passkeys/' + id, { name: wanted });
  await show('The passkey has a new name.');
}

async function remove({ id }) {
  await call('DELETE', '/passkeys/' + id);
  await show('The passkey was removed.');
}

async function signOut() {
  await call('POST', '/logout');
  await show('You are signed out.');
}

/** Shows what there is now, and says what happened. */
async function show(message) {
  let me = await call('GET', '/me');
  if (me.action === 'refresh') me = { logged_in: false };
  byId('signed-in').hidden = !me.logged_in;
  byId('signed-out').hidden = me.logged_in;
  byId('who').textContent = me.email ?? '';
  byId('password').value = '';
  const { passkeys } = me.logged_in ? await call('GET', '/passkeys') : { passkeys: [] };
  byId('passkeys').replaceChildren(...passkeys.map(itemOf));
  tell(message);
}

function itemOf(passkey) {
  const item = document.createElement('li');
  const used = passkey.last_used_at ? 'last used ' + new Date(passkey.last_used_at).toLocaleString() : 'not used yet';
  item.append(passkey.name + ' (' + used + ')', button('Rename', () => rename(passkey)), button('Remove', () => remove(passkey)));
  return item;
}

function button(label, work) {
  const element = document.createElement('button');
  element.type = 'button';
  element.textContent = label;
  element.addEventListener('click', () => run(work));
  return element;
}

function tell(message, outcome = 'done') {
  byId('status').textContent = message;
  byId('status').className = outcome;
}

/** Does something, and says so if it fails. */
async function run(work) {
  tell('');
  try {
    await work();
  } catch (error) {
    tell(explain(error), 'failed');
  }
}

function explain(error) {
  if (error.problem?.code === 'step_up_required')
    return 'That needs a fresh sign-in: sign out, sign in again, and repeat it.';
  if (error.name === 'NotAllowedError') return 'The browser got no passkey: it was cancelled, or there is none for this site.';
  if (error.name === 'InvalidStateError') return 'This device has a passkey of this account already.';
  return error.message;
}

function begin() {
  const isHome = location.hostname === HOME.hostname || location.hostname.endsWith('.' + HOME.hostname);
  if (!isHome) return tell('Passkeys belong to ' + HOME.hostname + ': open ' + HOME.origin + '/docs/passkeys instead.', 'failed');
  if (!globalThis.PublicKeyCredential?.parseCreationOptionsFromJSON)
    return tell('This browser cannot do it: it needs passkeys, and JSON for them (2025 or newer).', 'failed');
  byId('account').addEventListener('submit', (event) => {
    event.preventDefault();
    run(event.submitter?.value === 'signup' ? signUp : signIn);
  });
  byId('new-passkey').addEventListener('submit', (event) => {
    event.preventDefault();
    run(add);
  });
  byId('passkey-login').addEventListener('click', () => run(signInWithPasskey));
  byId('logout').addEventListener('click', () => run(signOut));
  return run(() => show(''));
}

begin();
`;
}
