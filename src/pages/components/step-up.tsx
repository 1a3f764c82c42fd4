import { useState } from 'preact/hooks';
import type { Challenge, Client, Proof } from '../../client/client.entry.js';
import { createPasskeys } from '../../client/passkeys.entry.js';
import { type Failure, failureOf } from '../failure.js';
import { t } from '../text.js';
import { Alert } from './alert.tsx';
import { Dialog, openDialog } from './dialog.tsx';
import { CodeField, HiddenUsername, PasswordField } from './fields.tsx';
import { Form } from './form.tsx';

interface StepUpProps {
  readonly email: string;
  /** What the account can prove itself with. */
  readonly methods: { readonly password: boolean; readonly passkeys: number; readonly totp: boolean };
  readonly refused: Failure | null;
  readonly prove: () => Promise<Proof>;
  readonly close: (proof?: Proof) => void;
}

/** Asks the person to confirm who they are; undefined if they cancel. The client repeats the call with the proof. */
export async function askToConfirm(client: Client, challenge: Challenge): Promise<Proof | undefined> {
  const [{ email }, methods] = await Promise.all([
    client.account.get(),
    client.call('GET /users/me/sign-in-methods'),
  ]);
  const { prove } = createPasskeys(client);
  const refused = challenge.error ? failureOf(challenge.error) : null;
  return openDialog<Proof>((close) => (
    <StepUp email={email} methods={methods} refused={refused} prove={() => prove()} close={close} />
  ));
}

function StepUp({ email, methods, refused, prove, close }: StepUpProps) {
  const [failure, setFailure] = useState<Failure | null>(refused);
  const withPasskey = () => {
    setFailure(null);
    prove().then(close, (error: unknown) => setFailure(failureOf(error)));
  };
  const submit = async ({ password, code }: Readonly<Record<string, string>>) => {
    close({ ...(password && { password }), ...(code && { code: code.replace(/[\s-]/g, '') }) });
  };
  return (
    <Dialog title={t.stepUp.title} cancel={close}>
      <p class="muted">{t.stepUp.says(email)}</p>
      <Alert failure={failure} />
      {methods.passkeys > 0 && (
        <>
          <button
            type="button"
            class="primary"
            data-focus={!methods.password || undefined}
            onClick={withPasskey}
          >
            {t.stepUp.usePasskey}
          </button>
          {methods.password && <p class="or">{t.signIn.or}</p>}
        </>
      )}
      {methods.password && (
        <Form submit={submit} button={t.stepUp.button} busy={t.stepUp.busy}>
          <HiddenUsername email={email} />
          <PasswordField isFirst />
          {methods.totp && <CodeField label={t.fields.code} kind="totp" />}
        </Form>
      )}
      <button type="button" class="quiet" onClick={() => close()}>
        {t.stepUp.cancel}
      </button>
    </Dialog>
  );
}
