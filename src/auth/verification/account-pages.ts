/** A page that a mail leads to. */
export interface AccountPage {
  readonly path: string;
  readonly title: string;
  readonly says: string;
  /** The call that all goes to, in the body. */
  readonly call: string;
  /** Whether the link of the mail brings a token, without which the page is of no use. */
  readonly token: 'brought' | 'none';
  /** The name of the field that the page asks for; none where a click is enough. */
  readonly field?: keyof typeof INPUTS;
  readonly button: string;
  readonly done: string;
}

/** What a page can ask for. */
const INPUTS = {
  new_password: `<label for="field">New password</label>
<input id="field" name="new_password" type="password" autocomplete="new-password" required>`,
  email: `<label for="field">E-mail address</label>
<input id="field" name="email" type="email" autocomplete="email" required>`,
};

/**
 * Nothing happens before a click: mail gateways open links, and some run their scripts. Whoever did not sign up must be able to
 * leave it at that.
 */
export const ACCOUNT_PAGES: readonly AccountPage[] = [
  {
    path: '/account/verify-email',
    title: 'Confirm your e-mail address',
    says: 'Confirm only if you made the account yourself. If somebody else used your address, close this page: the account stays unconfirmed.',
    call: '/email/verify',
    token: 'brought',
    button: 'Confirm',
    done: 'Your address is confirmed. You can sign in now.',
  },
  {
    path: '/account/change-email',
    title: 'Confirm your new e-mail address',
    says: 'Confirm only if you asked to change the address of your account to this one.',
    call: '/email/verify',
    token: 'brought',
    button: 'Confirm',
    done: 'Your account has its new address. Sign in with it from now on.',
  },
  {
    path: '/account/reset-password',
    title: 'Choose another password',
    says: 'A few unrelated words are long enough and easy to remember. You are signed out everywhere once it is changed. If this address was never confirmed before, passkeys, authenticator app and recovery codes of the account are removed, too: somebody else could have put them there.',
    call: '/password/reset',
    token: 'brought',
    field: 'new_password',
    button: 'Change the password',
    done: 'Your password is changed. Sign in with it now. A mail says whether passkeys, authenticator app and recovery codes were removed.',
  },
  {
    path: '/account/password',
    title: 'Ask for another password',
    says: 'The address of your account gets a mail with a link. Choosing another password by it signs you out everywhere.',
    call: '/password/forgot',
    token: 'none',
    field: 'email',
    button: 'Send the link',
    done: 'If there is an account with this address, a mail with a link is on its way. It works once, for an hour.',
  },
];

/** Everything from this origin, nothing inline, and no form that a browser would send by itself. */
export const ACCOUNT_PAGE_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; " +
  "frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/** A page's HTML: it is the same for everybody, and holds nothing of the request. */
export function accountPageHtml({ title, says, call, token, field, button, done }: AccountPage): string {
  const input = field ? INPUTS[field] : '';
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/account/page.css">
</head>
<body>
<main>
<h1>${title}</h1>
<noscript><p>This page needs JavaScript.</p></noscript>
<form id="form" data-call="${call}" data-token="${token}" data-done="${done}" hidden>
<p>${says}</p>
${input}
<button type="submit">${button}</button>
</form>
<p id="status" role="status"></p>
</main>
<script src="/account/page.js"></script>
</body>
</html>
`;
}

export const ACCOUNT_PAGE_CSS = `body { margin: 0; background: #fafafa; color: #1b1b1b; font: 1rem/1.5 system-ui, sans-serif; }
main { max-width: 28rem; margin: 15vh auto 0; padding: 0 1rem; }
h1 { font-size: 1.4rem; }
label { display: block; margin-bottom: 0.25rem; }
input { box-sizing: border-box; width: 100%; margin-bottom: 1rem; padding: 0.5rem; font: inherit; }
button { padding: 0.5rem 1rem; font: inherit; }
`;

/** The token leaves the address bar, and the history with it, before anything else, and goes nowhere but into one body. */
export const ACCOUNT_PAGE_SCRIPT = `'use strict';
const form = document.getElementById('form');
const status = document.getElementById('status');
let token = null;

function takeToken() {
  const found = new URLSearchParams(location.hash.slice(1)).get('token');
  history.replaceState(null, '', location.pathname);
  if (found === null && token !== null) return;
  token = found;
  const isComplete = token !== null || form.dataset.token === 'none';
  form.hidden = !isComplete;
  status.textContent = !isComplete ? 'Open the link of the mail once more: it has a part that is missing here.' : '';
}

async function send() {
  const body = { ...(form.dataset.token === 'brought' && { token }), ...Object.fromEntries(new FormData(form)) };
  const reply = await fetch(form.dataset.call, {
    method: 'POST',
    credentials: 'omit',
    cache: 'no-store',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (reply.ok) {
    token = null;
    form.hidden = true;
    form.reset();
    return form.dataset.done;
  }
  const problem = await reply.json();
  if (problem.code === 'token_invalid')
    return 'This link does not work any more: it was used, is too old, or a newer one was sent.';
  if (problem.errors && form.dataset.token === 'none') return 'This is no e-mail address.';
  return problem.detail;
}

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  const button = form.querySelector('button');
  button.disabled = true;
  status.textContent = '';
  status.textContent = await send().catch(() => 'That did not work. Try again in a moment.');
  button.disabled = false;
});
addEventListener('hashchange', takeToken);
takeToken();
`;
