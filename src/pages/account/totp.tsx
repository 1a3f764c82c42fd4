import { useState } from 'preact/hooks';
import type { Reply } from '../../client/client.entry.js';
import { confirmed } from '../components/dialog.tsx';
import { CodeField } from '../components/fields.tsx';
import { Form } from '../components/form.tsx';
import { Outcome, Section, useAction } from '../components/section.tsx';
import { t } from '../text.js';
import { client } from './account-client.js';
import { newCodes } from './recovery-codes.tsx';
import type { SectionProps } from './section-props.js';

const texts = t.account.totp;

export function Totp({ methods, reload }: SectionProps) {
  const [seed, setSeed] = useState<Reply<'POST /totp'> | null>(null);
  const { run, failure, notice, isBusy } = useAction();
  const start = () =>
    run(async () => {
      setSeed(await client.totp.start());
      return undefined;
    });
  const confirm = async ({ code = '' }) => {
    await client.totp.confirm({ code: code.replace(/[\s-]/g, '') });
    setSeed(null);
    if (methods.recovery_codes_left === 0) await newCodes();
    await reload();
  };
  const remove = () =>
    run(async () => {
      if (!(await confirmed({ title: texts.removeTitle, says: texts.removeSays, button: texts.remove })))
        return undefined;
      await client.totp.remove();
      await reload();
      return texts.removed;
    });
  return (
    <Section
      id="authenticator-app"
      title={texts.title}
      badge={<span class={methods.totp ? 'badge good' : 'badge'}>{methods.totp ? texts.on : texts.off}</span>}
    >
      <p class="muted">{texts.says}</p>
      <Outcome failure={failure} notice={notice} />
      {seed && (
        <>
          <p>{texts.scan}</p>
          <img
            class="qr"
            width={200}
            height={200}
            alt={texts.qr}
            src={`data:image/svg+xml,${encodeURIComponent(seed.qr_svg)}`}
          />
          <Key secret={seed.secret} />
          <Form
            submit={confirm}
            button={texts.confirm}
            busy={texts.confirming}
            footer={
              <button type="button" class="quiet" onClick={() => setSeed(null)}>
                {t.account.cancel}
              </button>
            }
          >
            <CodeField label={t.fields.code} kind="totp" isFocused />
          </Form>
        </>
      )}
      {!seed && (
        <div class="buttons">
          {methods.totp ? (
            <button type="button" aria-disabled={isBusy} onClick={remove}>
              {texts.remove}
            </button>
          ) : (
            <button type="button" aria-disabled={isBusy} onClick={start}>
              {texts.start}
            </button>
          )}
        </div>
      )}
    </Section>
  );
}

function Key({ secret }: { readonly secret: string }) {
  const [isCopied, setCopied] = useState(false);
  return (
    <p class="key">
      <span class="muted">{texts.key}</span> <code>{secret.replace(/(.{4})(?=.)/g, '$1 ')}</code>
      <button
        type="button"
        class="quiet"
        onClick={() => void navigator.clipboard.writeText(secret).then(() => setCopied(true))}
      >
        {isCopied ? t.account.copied : t.account.copy}
      </button>
    </p>
  );
}
