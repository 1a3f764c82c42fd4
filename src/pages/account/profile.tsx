import { useState } from 'preact/hooks';
import type { Language } from '../../texts/language.js';
import { Field, SelectField } from '../components/fields.tsx';
import { Form } from '../components/form.tsx';
import { Outcome, Section } from '../components/section.tsx';
import { LANGUAGE_NAMES } from '../language.js';
import { t } from '../text.js';
import { dayOf } from '../time.tsx';
import { client } from './account-client.js';
import type { SectionProps } from './section-props.js';

export function Profile({ account, reload }: SectionProps) {
  const [notice, setNotice] = useState<string | null>(null);
  const current = account.language ?? 'en';
  const submit = async ({ name = '', language = current }) => {
    await client.account.update({
      name: name.trim() === '' ? null : name.trim(),
      ...(language !== current && { language: language as Language }),
    });
    await reload();
    setNotice(t.account.saved);
  };
  return (
    <Section id="profile" title={t.account.profile.title}>
      <p class="muted">{t.account.profile.memberSince(dayOf(account.created_at))}</p>
      <Form submit={submit} button={t.account.save} busy={t.account.saving}>
        <Field
          name="name"
          label={t.account.profile.name}
          type="text"
          autocomplete="name"
          maxLength={100}
          defaultValue={account.name ?? ''}
          advice={t.account.profile.nameAdvice}
        />
        <SelectField
          name="language"
          label={t.account.profile.language}
          options={LANGUAGE_NAMES}
          chosen={current}
          advice={t.account.profile.languageAdvice}
        />
      </Form>
      <Outcome failure={null} notice={notice} />
    </Section>
  );
}
