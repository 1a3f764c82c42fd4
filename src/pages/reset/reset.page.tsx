import { useState } from 'preact/hooks';
import { Card } from '../components/card.tsx';
import { CodeField, PasswordField } from '../components/fields.tsx';
import { Form } from '../components/form.tsx';
import { useMailedToken } from '../components/mailed.tsx';
import { focusHeading, Title } from '../components/title.tsx';
import { wrongCode } from '../failure.js';
import { typedToken } from '../mailed-token.js';
import { mount } from '../mount.tsx';
import { createPageClient } from '../page-client.js';
import { t } from '../text.js';

const client = createPageClient();

function Reset() {
  const token = useMailedToken();
  const [isDone, setDone] = useState(false);
  if (isDone)
    return (
      <Card>
        <Title text={t.reset.title} />
        <p class="notice" role="status">
          {t.reset.done}
        </p>
        <a class="button primary" href="/login">
          {t.signIn.title}
        </a>
      </Card>
    );
  const submit = async ({ new_password = '', code = '' }) => {
    await client.password.reset({ token: token ?? typedToken(code), new_password }).catch(wrongCode(token));
    setDone(true);
    focusHeading();
  };
  return (
    <Card footer={<a href="/login">{t.forgot.back}</a>}>
      <Title text={t.reset.title} />
      <Form
        key={token}
        submit={submit}
        button={t.reset.button}
        busy={t.reset.busy}
        onFailure={(failure) =>
          failure?.code === 'token_invalid' && (
            <p>
              <a href="/forgot">{t.reset.requestNew}</a>
            </p>
          )
        }
      >
        <p class="muted">{t.reset.says}</p>
        {token === null && <CodeField label={t.fields.mailCode} kind="mail" />}
        <input type="text" name="username" autocomplete="username" hidden />
        <PasswordField name="new_password" isNew />
      </Form>
    </Card>
  );
}

mount(<Reset />);
