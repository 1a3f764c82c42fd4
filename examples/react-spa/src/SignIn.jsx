import { useState } from 'react';
import { client } from './client.js';

async function signIn(event) {
  event.preventDefault();
  const credentials = Object.fromEntries(new FormData(event.currentTarget));
  if (event.nativeEvent.submitter.name === 'create') await client.signUp(credentials);
  await client.signIn(credentials);
}

export function SignIn() {
  const [message, setMessage] = useState('');
  return (
    <form onSubmit={(event) => signIn(event).catch((error) => setMessage(error.message))}>
      <input name="email" type="email" aria-label="E-mail" autoComplete="username" />
      <input name="password" type="password" aria-label="Password" autoComplete="current-password" />
      <button>Sign in</button> <button name="create">Create account</button>
      <p role="alert">{message}</p>
    </form>
  );
}
