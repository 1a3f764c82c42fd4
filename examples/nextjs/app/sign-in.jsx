'use client';
import { useRouter } from 'next/navigation';
import { useEffect, useState } from 'react';
import { createClient } from 'traffy-client';

/** Created in the browser alone: the server renders pages of all users. */
let created;
const client = () => (created ??= createClient({ baseUrl: `${location.origin}/auth` }));

async function signIn(event) {
  event.preventDefault();
  const credentials = Object.fromEntries(new FormData(event.currentTarget));
  if (event.nativeEvent.submitter.name === 'create') await client().signUp(credentials);
  await client().signIn(credentials);
}

export function SignIn({ isSignedIn }) {
  const router = useRouter();
  const [message, setMessage] = useState('');
  useEffect(() => {
    const compare = ({ status }) => (status === 'signed_in') !== isSignedIn && router.refresh();
    // The server may have seen an expired token: `me` renews it.
    const check = () => compare(client().state);
    client().me().then(check, check);
    return client().onChange(compare);
  }, [router, isSignedIn]);
  if (isSignedIn) return <button onClick={() => client().signOut()}>Sign out</button>;
  return (
    <form onSubmit={(event) => signIn(event).catch((error) => setMessage(error.message))}>
      <input name="email" type="email" aria-label="E-mail" autoComplete="username" />
      <input name="password" type="password" aria-label="Password" autoComplete="current-password" />
      <button>Sign in</button> <button name="create">Create account</button>
      <p role="alert">{message}</p>
    </form>
  );
}
