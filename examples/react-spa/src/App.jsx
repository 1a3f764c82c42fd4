import { useSyncExternalStore } from 'react';
import { Account } from './Account.jsx';
import { client } from './client.js';
import { SignIn } from './SignIn.jsx';

export function App() {
  const state = useSyncExternalStore(client.onChange, () => client.state);
  if (state.status === 'unknown') return <p>Loading…</p>;
  return state.status === 'signed_in' ? <Account email={state.email} /> : <SignIn />;
}
