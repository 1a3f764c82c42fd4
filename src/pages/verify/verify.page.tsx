import { useState } from 'preact/hooks';
import { Card } from '../components/card.tsx';
import { CodeField } from '../components/fields.tsx';
import { Form } from '../components/form.tsx';
import { useMailedToken } from '../components/mailed.tsx';
import { focusHeading, Title } from '../components/title.tsx';
import { wrongCode } from '../failure.js';
import { typedToken } from '../mailed-token.js';
import { mount } from '../mount.tsx';
import { createPageClient } from '../page-client.js';
import { t } from '../text.js';

const client = createPageClient();
/** The link of a change of the address says so. */
const isChange = new URLSearchParams(location.search).has('change');

function Verify() {
  const token = useMailedToken();
  const [isDone, setDone] = useState(false);
  const title = isChange ? t.verify.changeTitle : t.verify.title;
  if (isDone)
    return (
      <Card>
        <Title text={title} />
        <p class="notice" role="status">
          {isChange ? t.verify.changeDone : t.verify.done}
        </p>
        <a class="button primary" href="/account">
          {t.signIn.proceed}
        </a>
      </Card>
    );
  const submit = async ({ code = '' }) => {
    await client.email.verify(token ?? typedToken(code)).catch(wrongCode(token));
    setDone(true);
    focusHeading();
  };
  return (
    <Card>
      <Title text={title} />
      <Form
        key={token}
        submit={submit}
        button={isChange ? t.verify.changeButton : t.verify.button}
        busy={t.verify.busy}
        onFailure={(failure) => failure?.code === 'token_invalid' && <a href="/account">{t.signIn.title}</a>}
      >
        <p class="muted">{isChange ? t.verify.changeSays : t.verify.says}</p>
        {token === null && <CodeField label={t.fields.mailCode} kind="mail" />}
      </Form>
    </Card>
  );
}

mount(<Verify />);
