import { useState } from 'preact/hooks';
import { Card } from '../components/card.tsx';
import { EmailField } from '../components/fields.tsx';
import { Form } from '../components/form.tsx';
import { focusHeading, Title, useCountdown } from '../components/title.tsx';
import { inWords } from '../duration.js';
import { mount } from '../mount.tsx';
import { createPageClient } from '../page-client.js';
import { t } from '../text.js';

const client = createPageClient();
/** Milliseconds before another mail can be requested here. */
const PAUSE = 60_000;

function Forgot() {
  const [sent, setSent] = useState<{ readonly email: string; readonly again: number } | null>(null);
  const left = useCountdown(sent?.again);
  const send = async (email: string) => {
    await client.password.forgot(email);
    setSent({ email, again: performance.now() + PAUSE });
    focusHeading();
  };
  return (
    <Card footer={<a href="/login">{t.forgot.back}</a>}>
      <Title text={t.forgot.title} />
      {sent === null ? (
        <Form submit={({ email = '' }) => send(email)} button={t.forgot.button} busy={t.forgot.busy}>
          <p class="muted">{t.forgot.says}</p>
          <EmailField enterkeyhint="go" />
        </Form>
      ) : (
        <>
          <p class="notice" role="status">
            {t.forgot.sent(sent.email)}
          </p>
          {left > 0 ? (
            <p class="muted">{t.forgot.againIn(inWords(left))}</p>
          ) : (
            <Form submit={() => send(sent.email)} button={t.forgot.again} busy={t.forgot.busy}>
              {null}
            </Form>
          )}
        </>
      )}
    </Card>
  );
}

mount(<Forgot />);
