import type { Body, Reply } from '../../client/client.entry.js';
import { client } from '../account/account-client.js';
import { confirmed } from '../components/dialog.tsx';
import { Content, Outcome, Section, useAction, useLoaded } from '../components/section.tsx';
import { Title } from '../components/title.tsx';
import { deviceName } from '../device.js';
import { eventTexts, t } from '../text.js';
import { Time } from '../time.tsx';
import { StateBadge } from './user-list.tsx';

const texts = t.admin;
const EVENTS = 20;

type User = Reply<'GET /admin/users/{id}'>;
type Change = Body<'PATCH /admin/users/{id}'>;

interface UserViewProps {
  readonly id: string;
  readonly refuse: (error: unknown) => never;
}

export function UserView({ id, refuse }: UserViewProps) {
  const params = { id };
  const loaded = useLoaded(() => client.call('GET /admin/users/{id}', { params }).catch(refuse));
  const sessions = useLoaded(() => client.call('GET /admin/users/{id}/sessions', { params }).catch(refuse));
  const reload = async () => {
    await Promise.all([loaded.reload(), sessions.reload()]);
  };
  return (
    <>
      <p>
        <a href="#">{texts.back}</a>
      </p>
      <Title text={loaded.value?.email ?? texts.title} />
      <div class="sections">
        <Content loaded={loaded}>{(user) => <Facts user={user} reload={reload} />}</Content>
        <Sessions id={id} email={loaded.value?.email ?? ''} loaded={sessions} reload={reload} />
        <Trail id={id} refuse={refuse} />
      </div>
    </>
  );
}

function Facts({ user, reload }: { readonly user: User; readonly reload: () => Promise<void> }) {
  const { run, failure, notice, isBusy } = useAction();
  const change = (
    body: Change,
    question?: { readonly title: string; readonly says: string; readonly button: string },
  ) =>
    run(async () => {
      if (question && !(await confirmed(question))) return undefined;
      await client.call('PATCH /admin/users/{id}', { params: { id: user.id }, body });
      await reload();
      return texts.changed;
    });
  const isAdmin = user.role === 'admin';
  const disable = { title: texts.disableTitle(user.email), says: texts.disableSays, button: texts.disable };
  const promote = {
    title: texts.makeAdminTitle(user.email),
    says: texts.makeAdminSays,
    button: texts.makeAdmin,
  };
  const demote = { title: texts.makeUserTitle(user.email), says: texts.makeUserSays, button: texts.makeUser };
  return (
    <Section id="facts" title={texts.facts} badge={<StateBadge isDisabled={user.disabled_at !== null} />}>
      <dl>
        <dt>{texts.role}</dt>
        <dd>{texts.roles[user.role] ?? user.role}</dd>
        <dt>{texts.created}</dt>
        <dd>
          <Time at={user.created_at} />
        </dd>
        <dt>{texts.factors}</dt>
        <dd>{factorsOf(user).join(', ') || '–'}</dd>
        <dt>{texts.locks}</dt>
        <dd>
          {user.locks.length === 0
            ? texts.noLocks
            : user.locks.map((lock) => `${lock.authenticator} (${lock.failures})`).join(', ')}
        </dd>
      </dl>
      <Outcome failure={failure} notice={notice} />
      <div class="buttons">
        {user.disabled_at === null ? (
          <button
            type="button"
            class="dangerous"
            aria-disabled={isBusy}
            onClick={() => change({ disabled: true }, disable)}
          >
            {texts.disable}
          </button>
        ) : (
          <button type="button" aria-disabled={isBusy} onClick={() => change({ disabled: false })}>
            {texts.enable}
          </button>
        )}
        {isAdmin ? (
          <button type="button" aria-disabled={isBusy} onClick={() => change({ role: 'user' }, demote)}>
            {texts.makeUser}
          </button>
        ) : (
          <button type="button" aria-disabled={isBusy} onClick={() => change({ role: 'admin' }, promote)}>
            {texts.makeAdmin}
          </button>
        )}
      </div>
    </Section>
  );
}

function factorsOf({ factors }: User): string[] {
  return [
    ...(factors.password ? [texts.password] : []),
    ...(factors.totp ? [texts.totp] : []),
    ...(factors.passkeys > 0 ? [texts.passkeys(factors.passkeys)] : []),
    ...(factors.recovery_codes > 0 ? [texts.codes(factors.recovery_codes)] : []),
  ];
}

interface SessionsProps {
  readonly id: string;
  readonly email: string;
  readonly loaded: ReturnType<typeof useLoaded<Reply<'GET /admin/users/{id}/sessions'>>>;
  readonly reload: () => Promise<void>;
}

function Sessions({ id, email, loaded, reload }: SessionsProps) {
  const { run, failure, notice, isBusy } = useAction();
  const end = (session: string) =>
    run(async () => {
      await client.call('DELETE /admin/users/{id}/sessions/{session_id}', {
        params: { id, session_id: session },
      });
      await reload();
      return texts.ended(1);
    });
  const endAll = () =>
    run(async () => {
      const question = {
        title: texts.signOutAllTitle(email),
        says: texts.signOutAllSays,
        button: texts.signOutAll,
      };
      if (!(await confirmed(question))) return undefined;
      const { ended } = await client.call('DELETE /admin/users/{id}/sessions', { params: { id } });
      await reload();
      return texts.ended(ended);
    });
  return (
    <Section id="sessions" title={texts.sessions}>
      <Content loaded={loaded}>
        {({ sessions }) =>
          sessions.length === 0 ? (
            <p>{texts.noSessions}</p>
          ) : (
            <ul class="rows">
              {sessions.map((session) => (
                <li key={session.id}>
                  <div>
                    <strong>
                      {deviceName(session.device ?? session.user_agent ?? t.account.devices.unknown)}
                    </strong>
                    <p class="muted small">
                      <Time at={session.last_used_at} says={t.account.devices.used} />
                      {session.ip && ` · ${session.ip}`} · {session.strategy}
                    </p>
                  </div>
                  <button type="button" class="quiet dangerous" onClick={() => void end(session.id)}>
                    {t.account.devices.signOut}
                  </button>
                </li>
              ))}
            </ul>
          )
        }
      </Content>
      <Outcome failure={failure} notice={notice} />
      <div class="buttons">
        <button type="button" aria-disabled={isBusy} onClick={endAll}>
          {texts.signOutAll}
        </button>
      </div>
    </Section>
  );
}

function Trail({ id, refuse }: UserViewProps) {
  const loaded = useLoaded(() =>
    client.call('GET /admin/audit', { query: { user_id: id, limit: String(EVENTS) } as never }).catch(refuse),
  );
  return (
    <Section id="audit" title={texts.audit}>
      <Content loaded={loaded}>
        {({ events }) =>
          events.length === 0 ? (
            <p>{texts.noEvents}</p>
          ) : (
            <ul class="rows">
              {events.map((event) => (
                <li key={event.id}>
                  <div>
                    {eventTexts[event.kind]} <code class="muted">{event.kind}</code>
                    <p class="muted small">
                      <Time at={event.at} /> · {event.actor}
                      {event.ip && ` · ${event.ip}`}
                    </p>
                  </div>
                </li>
              ))}
            </ul>
          )
        }
      </Content>
    </Section>
  );
}
