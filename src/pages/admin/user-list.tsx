import { useState } from 'preact/hooks';
import type { Reply } from '../../client/client.entry.js';
import { client } from '../account/account-client.js';
import { Field, SelectField } from '../components/fields.tsx';
import { Form } from '../components/form.tsx';
import { Content, Outcome, useAction, useLoaded } from '../components/section.tsx';
import { Title } from '../components/title.tsx';
import { t } from '../text.js';
import { Time } from '../time.tsx';

const texts = t.admin;
const PAGE = 20;

type User = Reply<'GET /admin/users'>['users'][number];
type Query = Readonly<Record<'email_prefix' | 'role' | 'state', string>>;

const ALL: Query = { email_prefix: '', role: '', state: '' };

export function UserList({ refuse }: { readonly refuse: (error: unknown) => never }) {
  const [query, setQuery] = useState(ALL);
  const [found, setFound] = useState<readonly User[]>([]);
  const [cursor, setCursor] = useState<string | null>(null);
  const { run, failure, isBusy } = useAction();

  const fetchPage = async (wanted: Query, after: string | null) => {
    const given = Object.fromEntries(Object.entries(wanted).filter(([, value]) => value !== ''));
    const page = { ...given, limit: String(PAGE), ...(after && { cursor: after }) };
    const { users, next_cursor } = await client
      .call('GET /admin/users', { query: page as never })
      .catch(refuse);
    setFound(after === null ? users : [...found, ...users]);
    setCursor(next_cursor);
    setQuery(wanted);
    return users;
  };
  const loaded = useLoaded(() => fetchPage(ALL, null));
  const search = async (values: Readonly<Record<string, string>>) => {
    await fetchPage({ ...ALL, ...values, email_prefix: (values['email_prefix'] ?? '').trim() }, null);
  };
  return (
    <>
      <Title text={texts.title} />
      <section class="card">
        <Form submit={search} button={texts.searchButton} busy={texts.searching}>
          <div class="filters">
            <Field
              name="email_prefix"
              label={texts.search}
              type="text"
              autocomplete="off"
              enterkeyhint="search"
              spellcheck={false}
            />
            <SelectField
              name="role"
              label={texts.role}
              options={{ '': texts.any, user: texts.roles['user'] ?? '', admin: texts.roles['admin'] ?? '' }}
            />
            <SelectField
              name="state"
              label={texts.state}
              options={{ '': texts.any, enabled: texts.enabled, disabled: texts.disabled }}
            />
          </div>
        </Form>
        <Content loaded={loaded}>
          {() =>
            found.length === 0 ? (
              <p role="status">{texts.none(query.email_prefix)}</p>
            ) : (
              <Table users={found} />
            )
          }
        </Content>
        <Outcome failure={failure} notice={null} />
        {cursor !== null && (
          <div class="buttons">
            <button
              type="button"
              aria-disabled={isBusy}
              onClick={() =>
                run(async () => {
                  await fetchPage(query, cursor);
                  return undefined;
                })
              }
            >
              {texts.more}
            </button>
          </div>
        )}
      </section>
    </>
  );
}

function Table({ users }: { readonly users: readonly User[] }) {
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">{texts.email}</th>
          <th scope="col">{texts.role}</th>
          <th scope="col">{texts.state}</th>
          <th scope="col">{texts.sessions}</th>
          <th scope="col">{texts.created}</th>
        </tr>
      </thead>
      <tbody>
        {users.map((user) => (
          <tr key={user.id}>
            <th scope="row" data-label={texts.email}>
              <a href={`#user=${user.id}`}>{user.email}</a>
            </th>
            <td data-label={texts.role}>{texts.roles[user.role] ?? user.role}</td>
            <td data-label={texts.state}>
              <StateBadge isDisabled={user.disabled_at !== null} />
            </td>
            <td data-label={texts.sessions}>{user.live_sessions}</td>
            <td data-label={texts.created}>
              <Time at={user.created_at} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

export function StateBadge({ isDisabled }: { readonly isDisabled: boolean }) {
  return (
    <span class={isDisabled ? 'badge warning' : 'badge good'}>
      {isDisabled ? texts.disabled : texts.enabled}
    </span>
  );
}
