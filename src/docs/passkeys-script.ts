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

/** A sign-in whose password was right, and that lacks a second factor. */
let half = null;

async function signIn() {
  try {
    await call('POST', '/login', { email: byId('email').value, password: byId('password').value, transport });
  } catch (error) {
    if (error.problem?.code !== 'mfa_required') throw error;
    half = error.problem;
    await show('The password is right. The account has a second factor: show it, too.');
    return half.factors.includes('passkey') ? completeWithPasskey() : undefined;
  }
  await show('You are signed in with your password.');
}

async function completeWithPasskey() {
  const { mfa_token } = half;
  const options = await call('POST', '/passkeys/authentication/options', { mfa_token });
  await complete({ credential: await get(options) });
}

/** Six digits are of the app; recovery codes are longer. */
async function completeWithCode() {
  const code = byId('code').value.replace(/\\s/g, '');
  await complete(/^\\d{6}$/.test(code) ? { code } : { recovery_code: code });
}

async function cancel() {
  half = null;
  await show('');
}

async function complete(proof) {
  try {
    await call('POST', '/mfa', { mfa_token: half.mfa_token, ...proof });
  } catch (error) {
    // It has run out, or was tried too often: the password comes first again.
    if (error.problem?.code === 'mfa_token_invalid') await cancel();
    throw error;
  }
  half = null;
  await show('You are signed in with your password and a second factor.');
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
  byId('signed-out').hidden = me.logged_in || half !== null;
  byId('second-factor').hidden = me.logged_in || half === null;
  byId('factor-passkey').hidden = !half?.factors.includes('passkey');
  byId('code').value = '';
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
  byId('factor').addEventListener('submit', (event) => {
    event.preventDefault();
    run(completeWithCode);
  });
  byId('factor-passkey').addEventListener('click', () => run(completeWithPasskey));
  byId('factor-cancel').addEventListener('click', () => run(cancel));
  byId('logout').addEventListener('click', () => run(signOut));
  return run(() => show(''));
}

begin();
`;
}
