import { useState } from 'preact/hooks';
import { Dialog, openDialog } from '../components/dialog.tsx';
import { Outcome, Section, useAction } from '../components/section.tsx';
import { saveFile } from '../save-file.js';
import { t } from '../text.js';
import { client } from './account-client.js';
import type { SectionProps } from './section-props.js';

const texts = t.account.codes;
/** From here on, the page says that they run out. */
const FEW = 2;

export function RecoveryCodes({ methods, reload }: SectionProps) {
  const { run, failure, notice, isBusy } = useAction();
  const left = methods.recovery_codes_left;
  const hasFactor = methods.totp || methods.passkeys > 0;
  return (
    <Section id="recovery-codes" title={texts.title}>
      <p class="muted">{texts.says}</p>
      {hasFactor ? (
        <>
          {left > 0 && <p>{texts.left(left)}</p>}
          {left <= FEW && <p class="notice warning">{left === 0 ? texts.none : texts.few}</p>}
          <Outcome failure={failure} notice={notice} />
          <div class="buttons">
            <button
              type="button"
              aria-disabled={isBusy}
              onClick={() =>
                run(async () => {
                  await newCodes();
                  await reload();
                  return undefined;
                })
              }
            >
              {texts.create}
            </button>
          </div>
        </>
      ) : (
        <p>{texts.needFactor}</p>
      )}
    </Section>
  );
}

/** Creates recovery codes and shows them, until the person says that they are saved. */
export async function newCodes(): Promise<void> {
  const codes = await client.recoveryCodes();
  await openDialog((close) => <Codes codes={codes} close={() => close()} />);
}

function Codes({ codes, close }: { readonly codes: readonly string[]; readonly close: () => void }) {
  const [isSaved, setSaved] = useState(false);
  const [isCopied, setCopied] = useState(false);
  const text = `${codes.join('\n')}\n`;
  const copy = () => void navigator.clipboard.writeText(text).then(() => setCopied(true));
  return (
    // Escape does not close it: the codes are shown once.
    <Dialog title={texts.newTitle} cancel={() => isSaved && close()}>
      <p>{texts.newSays}</p>
      <ul class="codes mono">
        {codes.map((code) => (
          <li key={code}>{code}</li>
        ))}
      </ul>
      <div class="buttons">
        <button type="button" data-focus onClick={copy}>
          {isCopied ? t.account.copied : t.account.copy}
        </button>
        <button type="button" onClick={() => saveFile(texts.fileName, text)}>
          {texts.download}
        </button>
        <button type="button" onClick={() => print()}>
          {texts.print}
        </button>
      </div>
      <label class="check">
        <input type="checkbox" checked={isSaved} onChange={() => setSaved(!isSaved)} />
        {texts.saved}
      </label>
      <button type="button" class="primary" disabled={!isSaved} onClick={close}>
        {t.account.done}
      </button>
    </Dialog>
  );
}
