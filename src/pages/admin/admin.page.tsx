import { useEffect, useRef, useState } from 'preact/hooks';
import { TraffyError } from '../../client/client.entry.js';
import { client } from '../account/account-client.js';
import { Brand, Card } from '../components/card.tsx';
import { useSignInState } from '../components/sign-in-state.ts';
import { focusHeading, Title } from '../components/title.tsx';
import { mount } from '../mount.tsx';
import { site } from '../site.js';
import { t } from '../text.js';
import { UserList } from './user-list.tsx';
import { UserView } from './user-view.tsx';

/** The user that the address names; null for the list. */
function chosen(): string | null {
  return new URLSearchParams(location.hash.slice(1)).get('user');
}

function AdminPage() {
  const [id, setId] = useState(chosen);
  const [isForbidden, setForbidden] = useState(site.isForbidden);
  useEffect(() => {
    const choose = () => {
      setId(chosen());
      focusHeading();
    };
    addEventListener('hashchange', choose);
    return () => removeEventListener('hashchange', choose);
  }, []);
  const owner = useRef<string | null>(null);
  useSignInState(client, (state) => {
    if (state.status === 'signed_out') location.assign('/login?return_to=%2Fadmin');
    if (!state.email) return;
    owner.current ??= state.email;
    // Another tab signed in another user: the page must not go on as that one.
    if (state.email !== owner.current) location.reload();
  });
  if (isForbidden) return <Forbidden />;
  const refuse = (error: unknown): never => {
    if (error instanceof TraffyError && error.code === 'forbidden') setForbidden(true);
    throw error;
  };
  return (
    <>
      <header class="top">
        <Brand />
        <a class="button" href="/account">
          {t.admin.toAccount}
        </a>
      </header>
      {id === null ? <UserList refuse={refuse} /> : <UserView key={id} id={id} refuse={refuse} />}
    </>
  );
}

function Forbidden() {
  return (
    <Card>
      <Title text={t.admin.forbiddenTitle} />
      <p>{t.admin.forbidden}</p>
      <a class="button primary" href="/account">
        {t.admin.toAccount}
      </a>
    </Card>
  );
}

// A page from the history can show what ended since.
addEventListener('pageshow', ({ persisted }) => persisted && void client.me());
mount(<AdminPage />, site.isForbidden ? 'narrow' : 'wide');
