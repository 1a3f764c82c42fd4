import { useState } from 'preact/hooks';
import { EmailField } from '../components/fields.tsx';
import { Form } from '../components/form.tsx';
import { Outcome, Section, useAction } from '../components/section.tsx';
import { t } from '../text.js';
import { client } from './account-client.js';
import type { SectionProps } from './section-props.js';

export function Email({ account, methods, reload }: SectionProps) {
  const [isOpen, setOpen] = useState(false);
  // The server knows of it once the mail is composed, a moment after the reply.
  const [requested, setRequested] = useState<string | null>(null);
  const pending = requested ?? methods.pending_email;
  const { run, failure, notice, isBusy } = useAction();
  const texts = t.account.email;
  const verify = () =>
    run(async () => {
      await client.email.resend();
      return texts.sent;
    });
  const change = async ({ email = '' }) => {
    await client.email.change(email);
    setRequested(email);
    await reload();
    setOpen(false);
  };
  return (
    <Section
      id="email"
      title={texts.title}
      badge={
        <span class={account.email_verified ? 'badge good' : 'badge warning'}>
          {account.email_verified ? texts.verified : texts.unverified}
        </span>
      }
    >
      <p>
        <strong>{account.email}</strong>
      </p>
      {pending !== null && (
        <p class="notice warning" role="status">
          {texts.pending(pending)}
        </p>
      )}
      <Outcome failure={failure} notice={notice} />
      {isOpen ? (
        <Form
          submit={change}
          button={texts.button}
          busy={texts.busy}
          footer={
            <button type="button" class="quiet" onClick={() => setOpen(false)}>
              {t.account.cancel}
            </button>
          }
        >
          <EmailField label={texts.newEmail} autocomplete="email" enterkeyhint="go" />
        </Form>
      ) : (
        <div class="buttons">
          {!account.email_verified && (
            <button type="button" aria-disabled={isBusy} onClick={verify}>
              {texts.verify}
            </button>
          )}
          <button type="button" onClick={() => setOpen(true)}>
            {texts.change}
          </button>
        </div>
      )}
    </Section>
  );
}
