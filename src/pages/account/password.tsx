import { useState } from 'preact/hooks';
import { HiddenUsername, PasswordField } from '../components/fields.tsx';
import { Form } from '../components/form.tsx';
import { Outcome, Section } from '../components/section.tsx';
import { t } from '../text.js';
import { client } from './account-client.js';
import type { SectionProps } from './section-props.js';

export function Password({ account, methods, reload }: SectionProps) {
  const [isOpen, setOpen] = useState(false);
  const [notice, setNotice] = useState<string | null>(null);
  const texts = t.account.password;
  const change = async ({ current_password, new_password = '' }: Readonly<Record<string, string>>) => {
    await client.password.change({ ...(current_password && { current_password }), new_password });
    setOpen(false);
    setNotice(texts.changed);
    await reload();
  };
  return (
    <Section id="password" title={texts.title}>
      {!methods.password && <p>{texts.none}</p>}
      <Outcome failure={null} notice={notice} />
      {isOpen ? (
        <Form
          submit={change}
          button={methods.password ? texts.change : texts.set}
          busy={t.account.saving}
          footer={
            <button type="button" class="quiet" onClick={() => setOpen(false)}>
              {t.account.cancel}
            </button>
          }
        >
          <p class="muted">{texts.says}</p>
          <HiddenUsername email={account.email} />
          {methods.password && <PasswordField name="current_password" label={t.fields.currentPassword} />}
          <PasswordField name="new_password" isNew />
        </Form>
      ) : (
        <div class="buttons">
          <button
            type="button"
            onClick={() => {
              setNotice(null);
              setOpen(true);
            }}
          >
            {methods.password ? texts.change : texts.set}
          </button>
        </div>
      )}
    </Section>
  );
}
