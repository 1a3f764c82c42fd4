import { useEffect, useState } from 'react';
import { client } from './SignIn.jsx';

export function Account({ email }) {
  const [sessions, setSessions] = useState([]);
  useEffect(() => {
    client.sessions.list().then(setSessions, () => undefined);
  }, []);
  return (
    <>
      <p>Signed in as {email}</p>
      <p>Devices: {sessions.length}</p>
      <button onClick={() => client.signOut()}>Sign out</button>
    </>
  );
}
