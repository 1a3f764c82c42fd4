import { useState } from 'preact/hooks';
import type { Factor } from '../../client/client.entry.js';
import { t } from '../text.js';
import { CodeField } from './fields.tsx';
import { Form } from './form.tsx';

type Way = 'totp' | 'recovery_code' | 'passkey';

const SAYS: Readonly<Record<Way, string>> = {
  totp: t.secondFactor.says,
  recovery_code: t.secondFactor.saysRecovery,
  passkey: t.secondFactor.saysPasskey,
};
const SWITCH: Readonly<Record<Way, string>> = {
  totp: t.secondFactor.useApp,
  recovery_code: t.secondFactor.useRecoveryCode,
  passkey: t.secondFactor.usePasskey,
};

export interface SecondFactorProps {
  /** What the account has. */
  readonly factors: readonly string[];
  /** Sends the factor; a TraffyError that it throws is shown. */
  readonly submit: (factor: Factor) => Promise<void>;
  /** The ceremony with a passkey of the account. */
  readonly prove: () => Promise<Factor>;
  readonly cancel: () => void;
}

/** One factor at a time; the others are one click away. */
export function SecondFactor({ factors, submit, prove, cancel }: SecondFactorProps) {
  const ways = (['totp', 'passkey', 'recovery_code'] as const).filter((way) => factors.includes(way));
  const [way, setWay] = useState<Way>(ways[0] ?? 'totp');
  const send = async ({ code = '' }) => {
    if (way === 'passkey') return submit(await prove());
    const typed = code.replace(/[\s-]/g, '');
    return submit(way === 'totp' ? { code: typed } : { recovery_code: code.trim() });
  };
  return (
    <>
      <Form
        key={way}
        submit={send}
        button={way === 'passkey' ? t.secondFactor.usePasskey : t.secondFactor.button}
        busy={t.secondFactor.busy}
      >
        <p class="muted">{SAYS[way]}</p>
        {way === 'totp' && <CodeField label={t.fields.code} kind="totp" isFocused />}
        {way === 'recovery_code' && <CodeField label={t.fields.recoveryCode} kind="recovery" isFocused />}
      </Form>
      <div class="stack">
        {ways
          .filter((other) => other !== way)
          .map((other) => (
            <button key={other} type="button" class="quiet" onClick={() => setWay(other)}>
              {SWITCH[other]}
            </button>
          ))}
        <button type="button" class="quiet" onClick={cancel}>
          {t.secondFactor.cancel}
        </button>
      </div>
    </>
  );
}
