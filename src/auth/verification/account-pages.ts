/** A page that the link of a mail opens. */
export interface AccountPage {
  readonly path: string;
  readonly title: string;
  readonly says: string;
  /** The call that the token goes to, in the body. */
  readonly call: string;
  /** The name of the field that the page asks for; none where a click is enough. */
  readonly field?: 'new_password';
  readonly button: string;
  readonly done: string;
}

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
    button: 'Confirm',
    done: 'Your address is confirmed. You can sign in now.',
  },
  {
    path: '/account/change-email',
    title: 'Confirm your new e-mail address',
    says: 'Confirm only if you asked to change the address of your account to this one.',
    call: '/email/verify',
    button: 'Confirm',
    done: 'Your account has its new address. Sign in with it from now on.',
  },
  {
    path: '/account/reset-password',
    title: 'Choose another password',
    says: 'A few unrelated words are long enough and easy to remember. You are signed out everywhere once it is changed.',
    call: '/password/reset',
    field: 'new_password',
    button: 'Change the password',
    done: 'Your password is changed. Sign in with it now.',
  },
];

/** Everything from this origin, nothing inline, and no form that a browser would send by itself. */
export const ACCOUNT_PAGE_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; " +
  "frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/** A page's HTML: it is the same for everybody, and holds nothing of the request. */
export function accountPageHtml({ title, says, call, field, button, done }: AccountPage): string {
  const input = field
    ? `<label for="field">New password</label>
<input id="field" name="${field}" type="password" autocomplete="new-password" required>`
    : '';
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
<form id="form" data-call="${call}" data-done="${done}" hidden>
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
  form.hidden = token === null;
  status.textContent = token === null ? 'Open the link of the mail once more: it has a part that is missing here.' : '';
}

async function send() {
  const body = { token, ...Object.fromEntries(new FormData(form)) };
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
  return problem.code === 'token_invalid'
    ? 'This link does not work any more: it was used, is too old, or a newer one was sent.'
    : problem.detail;
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
