import { useEffect, useState } from 'preact/hooks';
import { showBadge } from './badge-box.ts';
import { type DevCredential, readCredential } from './credential.ts';

/** Milliseconds between two looks at the credential. */
const LOOK = 5_000;

/** Which strategy runs, and which one issued the credential of this browser. */
function Badge() {
  const [found, setFound] = useState<DevCredential | null>(null);
  useEffect(() => {
    const look = () => void readCredential().then(setFound, () => setFound(null));
    look();
    const timer = setInterval(look, LOOK);
    return () => clearInterval(timer);
  }, []);
  if (!found) return null;
  const [credential] = found.credentials;
  return (
    <a href="/dev/controls">
      <strong>{found.strategy}</strong>{' '}
      {credential ? `${credential.kind} credential, ${credential.status}` : 'signed out'}
    </a>
  );
}

showBadge(<Badge />);
