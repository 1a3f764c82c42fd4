import { useRef, useState } from 'preact/hooks';
import type { SignInState } from '../../client/client.entry.js';
import { Alert } from '../components/alert.tsx';
import { Brand } from '../components/card.tsx';
import { Content, useAction, useLoaded } from '../components/section.tsx';
import { useSignInState } from '../components/sign-in-state.ts';
import { Title } from '../components/title.tsx';
import { adoptLanguage } from '../language.js';
import { mount } from '../mount.tsx';
import { t } from '../text.js';
import { client } from './account-client.js';
import { Activity } from './activity.tsx';
import { Data, Deletion } from './deletion.tsx';
import { Devices } from './devices.tsx';
import { Email } from './email.tsx';
import { Passkeys } from './passkeys.tsx';
import { Password } from './password.tsx';
import { Profile } from './profile.tsx';
import { RecoveryCodes } from './recovery-codes.tsx';
import type { SectionProps } from './section-props.js';
import { Totp } from './totp.tsx';

const texts = t.account;

const SECTIONS = [
  ['profile', texts.profile.title],
  ['email', texts.email.title],
  ['passkeys', texts.passkeys.title],
  ['password', texts.password.title],
  ['authenticator-app', texts.totp.title],
  ['recovery-codes', texts.codes.title],
  ['devices', texts.devices.title],
  ['activity', texts.activity.title],
  ['data', texts.data.title],
  ['delete', texts.deletion.title],
] as const;

/** Leaves for the sign-in, which leads back here. */
function toSignIn(): void {
  location.assign(`/login?return_to=${encodeURIComponent(location.pathname + location.hash)}`);
}

function AccountPage() {
  const shown = useRef<SectionProps['account'] | null>(null);
  const [changes, setChanges] = useState(0);
  const loaded = useLoaded(async () => {
    const [account, methods] = await Promise.all([
      client.account.get(),
      client.call('GET /users/me/sign-in-methods'),
    ]);
    shown.current = account;
    adoptLanguage(account.language);
    await leaveOther(client.state);
    return { account, methods };
  });
  const reload = async () => {
    await loaded.reload();
    setChanges((count) => count + 1);
  };

  /** Another tab can have signed in another user: the page must not show one and act as the other. */
  async function leaveOther(state: SignInState): Promise<void> {
    const account = shown.current;
    if (!account || !state.email || state.email === account.email) return;
    // The address of the same user can have changed.
    const { id } = await client.account.get();
    if (id !== account.id) location.reload();
  }

  useSignInState(client, (state) => {
    if (state.status === 'signed_out') toSignIn();
    else void leaveOther(state).catch(() => undefined);
  });
  return (
    <>
      <header class="top">
        <Brand />
        <SignOut />
      </header>
      <Title text={texts.title} />
      <div class="columns">
        <nav aria-label={texts.navigation}>
          <ul class="plain">
            {SECTIONS.map(([id, title]) => (
              <li key={id}>
                <a href={`#${id}`}>{title}</a>
              </li>
            ))}
          </ul>
        </nav>
        <div class="sections">
          <Content loaded={loaded}>
            {({ account, methods }) => {
              const props = { account, methods, reload };
              return (
                <>
                  <Profile {...props} />
                  <Email {...props} />
                  <Passkeys {...props} />
                  <Password {...props} />
                  <Totp {...props} />
                  <RecoveryCodes {...props} />
                  <Devices reload={reload} />
                  <Activity changes={changes} />
                  <Data reload={reload} />
                  <Deletion {...props} />
                  {account.role === 'admin' && <a href="/admin">{t.home.admin}</a>}
                </>
              );
            }}
          </Content>
        </div>
      </div>
    </>
  );
}

function SignOut() {
  const { run, failure, isBusy } = useAction();
  const signOut = () =>
    run(async () => {
      await client.signOut();
      return undefined;
    });
  return (
    <div class="stack">
      <button type="button" aria-disabled={isBusy} onClick={signOut}>
        {isBusy ? t.home.signingOut : texts.signOut}
      </button>
      <Alert failure={failure} />
    </div>
  );
}

// A page from the history can show what ended since.
addEventListener('pageshow', ({ persisted }) => persisted && void client.me());
mount(<AccountPage />, 'wide');
