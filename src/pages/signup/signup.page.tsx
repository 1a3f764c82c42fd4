import { useState } from 'preact/hooks';
import { Card } from '../components/card.tsx';
import { EmailField, PasswordField } from '../components/fields.tsx';
import { Form } from '../components/form.tsx';
import { focusHeading, Title } from '../components/title.tsx';
import { proceed, withReturn } from '../destination.js';
import { mount } from '../mount.tsx';
import { createPageClient } from '../page-client.js';
import { site } from '../site.js';
import { t } from '../text.js';

const client = createPageClient();

function SignUp() {
  const [sentTo, setSentTo] = useState<string | null>(null);
  if (sentTo !== null)
    return (
      <Card>
        <Title text={t.signUp.checkEmail} />
        <p role="status">{t.signUp.sent(sentTo)}</p>
        <a class="button" href={withReturn('/login')}>
          {t.signIn.title}
        </a>
      </Card>
    );
  const submit = async ({ email = '', password = '' }) => {
    await client.signUp({ email, password });
    if (site.verifiesEmail) {
      setSentTo(email);
      return focusHeading();
    }
    await client.signIn({ email, password });
    proceed();
  };
  return (
    <Card
      footer={
        <>
          {t.signUp.haveAccount} <a href={withReturn('/login')}>{t.signIn.title}</a>
        </>
      }
    >
      <Title text={t.signUp.title} />
      <Form
        submit={submit}
        button={t.signUp.button}
        busy={t.signUp.busy}
        onFailure={(failure) =>
          failure?.code === 'email_taken' && (
            <p>
              <a href={withReturn('/login')}>{t.signIn.title}</a> · <a href="/forgot">{t.signIn.forgot}</a>
            </p>
          )
        }
      >
        <EmailField />
        <PasswordField isNew label={t.fields.password} />
      </Form>
    </Card>
  );
}

mount(<SignUp />);
