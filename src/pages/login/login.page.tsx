import { useEffect, useRef, useState } from 'preact/hooks';
import { type MfaRequired, type SignInState, TraffyError } from '../../client/client.entry.js';
import { createPasskeys } from '../../client/passkeys.entry.js';
import { Alert } from '../components/alert.tsx';
import { Card } from '../components/card.tsx';
import { EmailField, PasswordField } from '../components/fields.tsx';
import { Form } from '../components/form.tsx';
import { WithPasskeys } from '../components/passkey-support.tsx';
import { SecondFactor } from '../components/second-factor.tsx';
import { useSignInState } from '../components/sign-in-state.ts';
import { focusHeading, Title } from '../components/title.tsx';
import { proceed, withReturn } from '../destination.js';
import { type Failure, failureOf } from '../failure.js';
import { mount } from '../mount.tsx';
import { createPageClient } from '../page-client.js';
import { takeSignOut } from '../signed-out.js';
import { t } from '../text.js';

const client = createPageClient();
const passkeys = createPasskeys(client);

/** Wrong attempts after which the page says that there can be a pause. */
const HINT_AFTER = 3;
/** Milliseconds for a password manager to add a passkey without a prompt. */
const SILENT_MAX = 2_000;

const isSignedOutEverywhere = takeSignOut();

function Login() {
  const [state, setState] = useState<SignInState>(client.state);
  const [pending, setPending] = useState<MfaRequired | null>(null);
  const [isOther, setOther] = useState(false);
  const [email, setEmail] = useState('');
  const [notice, setNotice] = useState<string | null>(null);
  // The end of our own sign-in leads on; only one that was there before is shown.
  const isBusy = useRef(false);
  useSignInState(client, (next) => !isBusy.current && setState(next));

  async function withPassword({ email: address = '', password = '' }) {
    isBusy.current = true;
    passkeys.stop();
    setEmail(address);
    setNotice(null);
    const outcome = await client.signIn({ email: address, password }).finally(() => (isBusy.current = false));
    if (outcome.status === 'mfa_required') return setPending(outcome);
    isBusy.current = true;
    await addSilently();
    proceed();
  }

  if (pending)
    return (
      <SecondStep
        pending={pending}
        cancel={(reason) => {
          setPending(null);
          setNotice(reason);
          focusHeading();
        }}
      />
    );
  if (state.email && !isOther) return <AlreadySignedIn email={state.email} another={() => setOther(true)} />;
  return <SignIn email={email} notice={notice} submit={withPassword} />;
}

interface SignInProps {
  readonly email: string;
  readonly notice: string | null;
  readonly submit: (values: Readonly<Record<string, string>>) => Promise<void>;
}

function SignIn({ email, notice, submit }: SignInProps) {
  const [failure, setFailure] = useState<Failure | null>(null);
  const [wrong, setWrong] = useState(0);

  const offer = () =>
    void passkeys.autofill().then(
      (done) => done && proceed(),
      (error: unknown) => {
        // The page asked by itself: without the server, the next action of the user reports that.
        const failed = failureOf(error);
        if (failed.code !== 'network_error') setFailure(failed);
      },
    );
  useEffect(() => {
    offer();
    return passkeys.stop;
  }, []);

  const withPasskey = () => {
    setFailure(null);
    passkeys.signIn().then(proceed, (error: unknown) => {
      setFailure(failureOf(error));
      offer();
    });
  };
  const send = async (values: Readonly<Record<string, string>>) => {
    setFailure(null);
    try {
      await submit(values);
    } catch (error) {
      if (error instanceof TraffyError && error.code === 'invalid_credentials') setWrong(wrong + 1);
      offer();
      throw error;
    }
  };
  return (
    <Card
      footer={
        <>
          {t.signIn.noAccount} <a href={withReturn('/signup')}>{t.home.signUp}</a>
        </>
      }
    >
      <Title text={t.signIn.title} />
      {isSignedOutEverywhere && notice === null && (
        <p class="notice" role="status">
          {t.signIn.signedOutEverywhere}
        </p>
      )}
      {notice && (
        <p class="notice warning" role="status">
          {notice}
        </p>
      )}
      <Form
        submit={send}
        button={t.signIn.button}
        busy={t.signIn.busy}
        onFailure={() => wrong >= HINT_AFTER && <p>{t.signIn.pause}</p>}
      >
        <EmailField autocomplete="username webauthn" defaultValue={email} />
        <PasswordField />
        <a class="small" href="/forgot">
          {t.signIn.forgot}
        </a>
      </Form>
      <p class="or">{t.signIn.or}</p>
      <WithPasskeys>
        <Alert failure={failure} />
        <button type="button" onClick={withPasskey}>
          {t.signIn.passkey}
        </button>
      </WithPasskeys>
    </Card>
  );
}

function SecondStep({
  pending,
  cancel,
}: {
  readonly pending: MfaRequired;
  readonly cancel: (reason: string | null) => void;
}) {
  useEffect(() => {
    // The field of a code has taken the focus: effects of children run first. A passkey has no field.
    if (document.activeElement === document.body) document.querySelector('h1')?.focus();
  }, []);
  return (
    <Card>
      <Title text={t.secondFactor.title} />
      <SecondFactor
        factors={pending.factors}
        prove={() => passkeys.prove(pending.mfa_token)}
        submit={async (factor) => {
          try {
            await client.mfa({ mfa_token: pending.mfa_token, ...factor });
          } catch (error) {
            if (error instanceof TraffyError && error.code === 'mfa_token_invalid')
              return cancel(t.secondFactor.expired);
            throw error;
          }
          proceed();
        }}
        cancel={() => cancel(null)}
      />
    </Card>
  );
}

function AlreadySignedIn({ email, another }: { readonly email: string; readonly another: () => void }) {
  return (
    <Card>
      <Title text={t.signIn.title} />
      <p>{t.signIn.signedInAs(email)}</p>
      <button type="button" class="primary" onClick={proceed}>
        {t.signIn.proceed}
      </button>
      <button type="button" onClick={another}>
        {t.signIn.another}
      </button>
    </Card>
  );
}

/** After a sign-in with a password alone, the password manager can add a passkey without a prompt. */
async function addSilently(): Promise<void> {
  const pause = new Promise((resolve) => setTimeout(resolve, SILENT_MAX));
  await Promise.race([passkeys.addSilently().catch(() => undefined), pause]);
}

mount(<Login />);
