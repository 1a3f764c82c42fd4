import { useState } from 'preact/hooks';
import { Field } from '../components/fields.tsx';
import { Form } from '../components/form.tsx';
import { Outcome, Section } from '../components/section.tsx';
import { t } from '../text.js';
import { dayOf } from '../time.tsx';
import { client } from './account-client.js';
import type { SectionProps } from './section-props.js';

export function Profile({ account, reload }: SectionProps) {
  const [notice, setNotice] = useState<string | null>(null);
  const submit = async ({ name = '' }) => {
    await client.account.update({ name: name.trim() === '' ? null : name.trim() });
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
      </Form>
      <Outcome failure={null} notice={notice} />
    </Section>
  );
}
