import type { Reply } from '../../client/client.entry.js';
import { confirmed, Dialog, openDialog } from '../components/dialog.tsx';
import { Field } from '../components/fields.tsx';
import { Form } from '../components/form.tsx';
import { WithPasskeys } from '../components/passkey-support.tsx';
import { Content, Outcome, Section, useAction, useLoaded } from '../components/section.tsx';
import { t } from '../text.js';
import { Time } from '../time.tsx';
import { client, passkeys } from './account-client.js';
import type { SectionProps } from './section-props.js';

type List = Reply<'GET /passkeys'>;
type Passkey = List['passkeys'][number];

const texts = t.account.passkeys;

export function Passkeys({ account, reload }: SectionProps) {
  const loaded = useLoaded(async () => {
    const list = await client.call('GET /passkeys');
    await report(list, account.email);
    return list.passkeys;
  });
  const { run, failure, notice, isBusy } = useAction();
  const refresh = async () => {
    await Promise.all([loaded.reload(), reload()]);
  };
  const add = () =>
    run(async () => {
      await passkeys.add();
      await refresh();
      return texts.added;
    });
  const rename = (passkey: Passkey) =>
    run(async () => {
      await askName(passkey);
      await refresh();
      return undefined;
    });
  const remove = ({ id, name }: Passkey) =>
    run(async () => {
      const question = { title: texts.removeTitle(name), says: texts.removeSays, button: texts.remove };
      if (!(await confirmed(question))) return undefined;
      await passkeys.remove(id);
      await refresh();
      document.querySelector<HTMLElement>('#passkeys-title')?.focus();
      return texts.removed;
    });
  return (
    <Section id="passkeys" title={texts.title}>
      <p class="muted">{texts.says}</p>
      <Content loaded={loaded}>
        {(list) =>
          list.length === 0 ? (
            <p>{texts.empty}</p>
          ) : (
            <ul class="rows">
              {list.map((passkey) => (
                <li key={passkey.id}>
                  <Row passkey={passkey} />
                  <div class="buttons">
                    <button type="button" class="quiet" onClick={() => void rename(passkey)}>
                      {texts.rename}
                    </button>
                    <button type="button" class="quiet dangerous" onClick={() => void remove(passkey)}>
                      {texts.remove}
                    </button>
                  </div>
                </li>
              ))}
            </ul>
          )
        }
      </Content>
      <Outcome failure={failure} notice={notice} />
      <WithPasskeys>
        <div class="buttons">
          <button type="button" aria-disabled={isBusy} onClick={add}>
            {isBusy ? texts.adding : texts.add}
          </button>
        </div>
      </WithPasskeys>
    </Section>
  );
}

function Row({ passkey }: { readonly passkey: Passkey }) {
  return (
    <div>
      <strong>{passkey.name}</strong>
      <p class="muted small">
        {passkey.is_backed_up ? texts.synced : texts.thisDevice} ·{' '}
        <Time at={passkey.created_at} says={texts.created} />,{' '}
        {passkey.last_used_at ? <Time at={passkey.last_used_at} says={texts.used} /> : texts.neverUsed}
      </p>
      {passkey.is_disabled && <p class="error">{texts.disabled}</p>}
    </div>
  );
}

function askName({ id, name }: Passkey): Promise<true | undefined> {
  return openDialog<true>((close) => (
    <Dialog title={texts.renameTitle(name)} cancel={close}>
      <Form
        submit={async ({ name: chosen = '' }) => {
          await passkeys.rename(id, chosen.trim());
          close(true);
        }}
        button={texts.rename}
        busy={t.account.saving}
        footer={
          <button type="button" class="quiet" onClick={() => close()}>
            {t.account.cancel}
          </button>
        }
      >
        <Field
          name="name"
          label={t.fields.name}
          type="text"
          autocomplete="off"
          maxLength={100}
          defaultValue={name}
          isFirst
          required
        />
      </Form>
    </Dialog>
  ));
}

/** Tells password managers which passkeys exist, so that they stop offering the others, and what they show for them. */
async function report(
  { passkeys: list, rp_id: rpId, user_handle: userId }: List,
  email: string,
): Promise<void> {
  if (userId === null) return;
  const allAcceptedCredentialIds = list
    .filter(({ is_disabled }) => !is_disabled)
    .map(({ credential_id }) => credential_id);
  await passkeys.signal.accepted({ rpId, userId, allAcceptedCredentialIds });
  // The names of a registration; the address can have changed since.
  await passkeys.signal.user({ rpId, userId, name: email, displayName: email });
}
