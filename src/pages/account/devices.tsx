import { confirmed } from '../components/dialog.tsx';
import { Content, Outcome, Section, useAction, useLoaded } from '../components/section.tsx';
import { t } from '../text.js';
import { deviceName } from '../device.js';
import { announceSignOut, withdrawn } from '../signed-out.js';
import { Time } from '../time.tsx';
import { client } from './account-client.js';
import type { SectionProps } from './section-props.js';

const texts = t.account.devices;

type Device = Awaited<ReturnType<typeof client.sessions.list>>[number];

export function Devices({ reload }: Pick<SectionProps, 'reload'>) {
  const loaded = useLoaded(async () => {
    const sessions = await client.sessions.list();
    return sessions.toSorted((a, b) => Number(b.current) - Number(a.current));
  });
  const { run, failure, notice, isBusy } = useAction();
  const end = (device: Device) =>
    run(async () => {
      const question = {
        title: texts.signOutTitle(nameOf(device)),
        says: texts.signOutSays,
        button: texts.signOut,
      };
      if (!(await confirmed(question))) return undefined;
      await client.sessions.end(device.id);
      await Promise.all([loaded.reload(), reload()]);
      document.querySelector<HTMLElement>('#devices-title')?.focus();
      return texts.ended;
    });
  const endAll = () =>
    run(async () => {
      const question = { title: texts.everywhereTitle, says: texts.everywhereSays, button: texts.everywhere };
      if (!(await confirmed(question))) return undefined;
      announceSignOut();
      await client.signOut('global').catch(withdrawn);
      return undefined;
    });
  return (
    <Section id="devices" title={texts.title}>
      <Content loaded={loaded}>
        {(devices) => (
          <ul class="rows">
            {devices.map((device) => (
              <li key={device.id}>
                <div>
                  <strong title={device.user_agent ?? undefined}>{nameOf(device)}</strong>{' '}
                  {device.current && <span class="badge good">{texts.current}</span>}
                  <p class="muted small">
                    <Time at={device.created_at} says={texts.signedIn} />,{' '}
                    <Time at={device.last_used_at} says={texts.used} />
                    {device.ip && ` · ${device.ip}`}
                  </p>
                </div>
                {!device.current && (
                  <button type="button" class="quiet dangerous" onClick={() => void end(device)}>
                    {texts.signOut}
                  </button>
                )}
              </li>
            ))}
          </ul>
        )}
      </Content>
      <Outcome failure={failure} notice={notice} />
      <div class="buttons">
        <button type="button" aria-disabled={isBusy} onClick={endAll}>
          {texts.everywhere}
        </button>
      </div>
    </Section>
  );
}

function nameOf({ device, user_agent: userAgent }: Device): string {
  return deviceName(device ?? userAgent ?? texts.unknown);
}
