import type { ComponentChildren, InputHTMLAttributes } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { site } from '../site.js';
import { t } from '../text.js';
import { useUniqueId } from '../unique-id.js';
import { lengthOf, useError } from './form.tsx';

interface FieldProps {
  readonly name: string;
  readonly label: string;
  readonly type: 'email' | 'password' | 'text';
  readonly autocomplete: string;
  readonly autocapitalize?: 'characters' | 'none' | 'words';
  readonly spellcheck?: boolean;
  readonly inputMode?: 'numeric' | 'text';
  readonly enterkeyhint?: 'go' | 'next' | 'search';
  readonly maxLength?: number;
  /** In code points; the form checks it. */
  readonly minLength?: number | undefined;
  readonly required?: boolean;
  readonly defaultValue?: string;
  readonly onInput?: (event: Event) => void;
  /** Its value is removed after a failure. */
  readonly isSecret?: boolean;
  /** Whether it has the focus when its dialog opens. */
  readonly isFirst?: boolean;
  readonly advice?: ComponentChildren;
  /** Beside the input. */
  readonly beside?: ComponentChildren;
}

/** A labelled input with its advice and its message. */
export function Field({
  label,
  advice,
  beside,
  name,
  isSecret = false,
  isFirst = false,
  ...input
}: FieldProps) {
  const id = useUniqueId();
  const error = useError(name);
  const described = [error && `${id}-error`, advice && `${id}-advice`].filter(Boolean).join(' ');
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {error && (
        <p class="error" id={`${id}-error`}>
          {error}
        </p>
      )}
      <div class="input">
        <input
          id={id}
          name={name}
          aria-invalid={error ? 'true' : undefined}
          aria-describedby={described || undefined}
          data-secret={isSecret || undefined}
          data-focus={isFirst || undefined}
          {...(input as InputHTMLAttributes<HTMLInputElement>)}
        />
        {beside}
      </div>
      {advice && (
        <p class="advice" id={`${id}-advice`}>
          {advice}
        </p>
      )}
    </div>
  );
}

/** @param autocomplete `username webauthn` where passkeys are offered in it. */
export function EmailField({ autocomplete = 'username', name = 'email', ...input }: Partial<FieldProps>) {
  return (
    <Field
      name={name}
      label={t.fields.email}
      type="email"
      autocomplete={autocomplete}
      autocapitalize="none"
      spellcheck={false}
      enterkeyhint="next"
      required
      {...input}
    />
  );
}

/** The account of a password form, for password managers, where the form has no field for it. */
export function HiddenUsername({ email }: { readonly email: string }) {
  return <input type="email" name="username" value={email} autocomplete="username" readOnly hidden />;
}

interface PasswordProps {
  readonly name?: string;
  readonly label?: string;
  /** A new password gets advice while it is typed. */
  readonly isNew?: boolean;
  readonly isFirst?: boolean;
}

/** A password, hidden unless it is shown, and hidden again when it is sent. */
export function PasswordField({ name = 'password', label, isNew = false, isFirst = false }: PasswordProps) {
  const [isShown, setShown] = useState(false);
  const [length, setLength] = useState(0);
  const error = useError(name);
  const [isEdited, setEdited] = useState(false);
  useEffect(() => setEdited(false), [error]);
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    const form = button.current?.form;
    const hide = () => setShown(false);
    form?.addEventListener('sending', hide);
    return () => form?.removeEventListener('sending', hide);
  }, []);
  return (
    <Field
      name={name}
      label={label ?? (isNew ? t.fields.newPassword : t.fields.password)}
      type={isShown ? 'text' : 'password'}
      autocomplete={isNew ? 'new-password' : 'current-password'}
      autocapitalize="none"
      spellcheck={false}
      enterkeyhint="go"
      required
      isSecret={!isNew}
      isFirst={isFirst}
      minLength={isNew ? site.passwordMin : undefined}
      onInput={(event: Event) => {
        setLength(lengthOf((event.currentTarget as HTMLInputElement).value));
        setEdited(true);
      }}
      advice={isNew && <Advice length={length} isWrong={error !== undefined && !isEdited} />}
      beside={
        <button
          ref={button}
          type="button"
          class="quiet"
          aria-label={isShown ? t.fields.hidePassword : t.fields.showPassword}
          onClick={() => setShown(!isShown)}
        >
          {isShown ? t.fields.hide : t.fields.show}
        </button>
      }
    />
  );
}

/** What is missing. Beneath a message about what was sent, which says what to do, only how much. */
function Advice({ length, isWrong }: { readonly length: number; readonly isWrong: boolean }) {
  const missing = site.passwordMin - length;
  if (isWrong && (length === 0 || missing <= 0)) return null;
  if (length === 0) return <>{t.fields.passwordAdvice(site.passwordMin)}</>;
  return missing > 0 ? (
    <>{t.fields.passwordMissing(missing)}</>
  ) : (
    <span class="good">{t.fields.passwordLongEnough}</span>
  );
}

interface CodeProps {
  readonly name?: string;
  readonly label: string;
  readonly kind: 'totp' | 'recovery' | 'mail';
  /** Whether it takes the focus when it appears. */
  readonly isFocused?: boolean;
}

/** A code that is typed in one field. */
export function CodeField({ name = 'code', label, kind, isFocused = false }: CodeProps) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (isFocused) box.current?.querySelector('input')?.focus();
  }, []);
  return (
    <div ref={box}>
      <Field
        name={name}
        label={label}
        type="text"
        inputMode={kind === 'totp' ? 'numeric' : 'text'}
        autocomplete="one-time-code"
        autocapitalize={kind === 'mail' ? 'characters' : 'none'}
        spellcheck={false}
        enterkeyhint="go"
        required
      />
    </div>
  );
}

interface SelectProps {
  readonly name: string;
  readonly label: string;
  /** The texts by value. */
  readonly options: Readonly<Record<string, string>>;
  /** The value at the start; by default the first. */
  readonly chosen?: string;
  readonly advice?: string;
}

/** A choice of a few values. */
export function SelectField({ name, label, options, chosen, advice }: SelectProps) {
  const id = useUniqueId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <select id={id} name={name} aria-describedby={advice && `${id}-advice`}>
        {Object.entries(options).map(([value, text]) => (
          <option key={value} value={value} selected={value === chosen}>
            {text}
          </option>
        ))}
      </select>
      {advice && (
        <p class="advice" id={`${id}-advice`}>
          {advice}
        </p>
      )}
    </div>
  );
}
