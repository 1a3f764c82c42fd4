import { useEffect, useState } from 'preact/hooks';
import { createClient } from '../../client/client.entry.js';
import { showBadge } from './badge-box.ts';
import { type DevCredential, readCredential } from './credential.ts';

/** Milliseconds between two reads of the credential: other nodes and commands change it too. */
const POLL_INTERVAL = 5_000;

const client = createClient();

/** Which strategy runs, and whether this browser is signed in. */
function Badge() {
  const [found, setFound] = useState<DevCredential | null>(null);
  useEffect(() => {
    const read = () => void readCredential().then(setFound, () => setFound(null));
    read();
    const timer = setInterval(read, POLL_INTERVAL);
    const end = client.onChange(read);
    return () => {
      clearInterval(timer);
      end();
    };
  }, []);
  if (!found) return null;
  return (
    <a href="/dev/controls">
      <strong>{found.strategy}</strong> · {stateOf(found)}
    </a>
  );
}

function stateOf({ strategy, credentials: [credential] }: DevCredential): string {
  if (!credential) return 'signed out';
  const state = credential.status === 'live' ? 'signed in' : credential.status;
  // With one strategy, it is clear which one issued the credential.
  return credential.kind === strategy ? state : `${state} (${credential.kind})`;
}

showBadge(<Badge />);
