import { useState } from 'preact/hooks';
import type { SignInState } from '../../client/client.entry.js';
import { Alert } from '../components/alert.tsx';
import { Brand } from '../components/card.tsx';
import { useAction } from '../components/section.tsx';
import { useSignInState } from '../components/sign-in-state.ts';
import { Title } from '../components/title.tsx';
import { mount } from '../mount.tsx';
import { createPageClient } from '../page-client.js';
import { site } from '../site.js';
import { t } from '../text.js';

const client = createPageClient();

function Home() {
  return (
    <>
      <Brand />
      <section class="card">
        <Title text={t.home.title} />
        <p class="muted">{t.home.lead}</p>
        <Account />
      </section>
      {(site.docs || site.development) && <ForDevelopers />}
    </>
  );
}

/** What the person can do next: it depends on whether they are signed in. */
function Account() {
  const [state, setState] = useState<SignInState>(client.state);
  const { run, failure, isBusy } = useAction();
  useSignInState(client, setState);
  if (state.status === 'unknown') return <div class="skeleton" aria-hidden="true" />;
  if (!state.email)
    return (
      <>
        <a class="button primary" href="/login">
          {t.home.signIn}
        </a>
        <a class="button" href="/signup">
          {t.home.signUp}
        </a>
      </>
    );
  const signOut = () =>
    run(async () => {
      await client.signOut();
      return undefined;
    });
  return (
    <>
      <p>
        {t.home.signedInAs} <strong>{state.email}</strong>
      </p>
      <a class="button primary" href="/account">
        {t.home.account}
      </a>
      <Alert failure={failure} />
      <button type="button" aria-disabled={isBusy} onClick={signOut}>
        {isBusy ? t.home.signingOut : t.home.signOut}
      </button>
    </>
  );
}

function ForDevelopers() {
  const links = [
    ...(site.docs
      ? [
          ['/docs', t.home.docs],
          ['/openapi.json', t.home.specification],
        ]
      : []),
    ['/.well-known/jwks.json', t.home.keys],
    ['/health/ready', t.home.health],
    ...(site.development
      ? [
          ['/dev/mailbox', t.home.mailbox],
          ['/dev/controls', t.home.controls],
        ]
      : []),
  ];
  return (
    <section class="beneath stack small">
      <h2 class="small">{t.home.forDevelopers}</h2>
      <p>{t.home.strategy(site.strategy)}</p>
      <ul class="plain">
        {links.map(([href, text]) => (
          <li key={href}>
            <a href={href}>{text}</a>
          </li>
        ))}
      </ul>
    </section>
  );
}

mount(<Home />);
