import { useState, useSyncExternalStore } from 'react';
import { createClient } from 'traffy-client';

const onChallenge = () => ({ code: prompt('Code of your authenticator app') ?? '' });
export const client = createClient({ baseUrl: import.meta.env.VITE_TRAFFY_URL, onChallenge });
const signUp = (user) => client.signUp(user).then(() => client.signIn(user));

export function SignIn({ page: Page }) {
  const { status, email } = useSyncExternalStore(client.onChange, () => client.state);
  const [message, setMessage] = useState('');
  const send = (call) => (form) => call(Object.fromEntries(form)).catch((error) => setMessage(error.message));
  if (status !== 'signed_out') return status === 'signed_in' ? <Page email={email} /> : 'Loading…';
  return (
    <form action={send(client.signIn)} onInput={() => setMessage('')}>
      <input name="email" type="email" aria-label="E-mail" autoComplete="username" />
      <input name="password" type="password" aria-label="Password" autoComplete="current-password" />
      <button>Sign in</button> <button formAction={send(signUp)}>Create account</button>
      <p role="alert">{message}</p>
    </form>
  );
}
