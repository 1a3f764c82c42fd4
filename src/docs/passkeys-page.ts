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

<section id="second-factor" aria-labelledby="factor-heading" hidden>
<h2 id="factor-heading">One more step</h2>
<form id="factor">
<label>Code of the authenticator app, or a recovery code <input id="code" autocomplete="one-time-code" required></label>
<p class="buttons">
<button type="submit">Sign in</button>
<button id="factor-passkey" type="button">Use a passkey</button>
<button id="factor-cancel" type="button">Cancel</button>
</p>
</form>
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
