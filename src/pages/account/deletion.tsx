import { TraffyError } from '../../client/client.entry.js';
import { Dialog, openDialog } from '../components/dialog.tsx';
import { EmailField } from '../components/fields.tsx';
import { Form } from '../components/form.tsx';
import { Outcome, Section, useAction } from '../components/section.tsx';
import { saveFile } from '../save-file.js';
import { t } from '../text.js';
import { client } from './account-client.js';
import type { SectionProps } from './section-props.js';

const texts = t.account.deletion;

export function Data({ reload }: Pick<SectionProps, 'reload'>) {
  const { run, failure, isBusy } = useAction();
  const download = () =>
    run(async () => {
      const data = await client.account.export();
      saveFile(t.account.data.fileName, JSON.stringify(data, null, 2), 'application/json');
      await reload();
      return undefined;
    });
  return (
    <Section id="data" title={t.account.data.title}>
      <p class="muted">{t.account.data.says}</p>
      <Outcome failure={failure} notice={null} />
      <div class="buttons">
        <button type="button" aria-disabled={isBusy} onClick={download}>
          {t.account.data.download}
        </button>
      </div>
    </Section>
  );
}

export function Deletion({ account }: SectionProps) {
  return (
    <Section id="delete" title={texts.title}>
      <p class="muted">{texts.says}</p>
      <div class="buttons">
        <button type="button" class="dangerous" onClick={() => void ask(account.email)}>
          {texts.button}
        </button>
      </div>
    </Section>
  );
}

/** Asks for the address, so that users do not delete their account by mistake. */
async function ask(email: string): Promise<void> {
  await openDialog((close) => (
    <Dialog title={texts.dialogTitle} cancel={close}>
      <p>{texts.dialogSays(email)}</p>
      <Form
        submit={async ({ confirmation = '' }) => {
          if (confirmation.trim().toLowerCase() !== email.toLowerCase())
            throw new TraffyError('validation_failed', 400, {
              errors: [{ path: 'confirmation', message: texts.mismatch }],
            });
          await client.account.delete();
          close();
        }}
        button={texts.button}
        busy={texts.busy}
        isDangerous
        footer={
          <button type="button" class="quiet" onClick={() => close()}>
            {t.account.cancel}
          </button>
        }
      >
        <EmailField name="confirmation" autocomplete="off" enterkeyhint="go" isFirst />
      </Form>
    </Dialog>
  ));
}
