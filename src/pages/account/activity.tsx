import { useEffect, useState } from 'preact/hooks';
import type { Reply } from '../../client/client.entry.js';
import { Content, Outcome, Section, useAction, useLoaded } from '../components/section.tsx';
import { deviceName } from '../device.js';
import { t } from '../text.js';
import { Time } from '../time.tsx';
import { client } from './account-client.js';

const texts = t.account.activity;
const PAGE = 10;

type Event = Reply<'GET /users/me/events'>['events'][number];

/** @param changes how often the page changed something: each is an event. */
export function Activity({ changes }: { readonly changes: number }) {
  const [more, setMore] = useState<readonly Event[]>([]);
  const [cursor, setCursor] = useState<string | null>(null);
  const loaded = useLoaded(async () => {
    const { events, next_cursor } = await client.account.events({ limit: PAGE });
    setMore([]);
    setCursor(next_cursor);
    return events;
  });
  useEffect(() => void (changes > 0 && loaded.reload()), [changes]);
  const { run, failure, isBusy } = useAction();
  const showMore = () =>
    run(async () => {
      const { events, next_cursor } = await client.account.events({ limit: PAGE, ...(cursor && { cursor }) });
      setMore([...more, ...events]);
      setCursor(next_cursor);
      return undefined;
    });
  return (
    <Section id="activity" title={texts.title}>
      <Content loaded={loaded}>
        {(events) => (
          <ul class="rows">
            {[...events, ...more].map((event) => (
              <li key={event.id}>
                <div>
                  {event.description}
                  <p class="muted small">
                    <Time at={event.at} />
                    {event.actor !== 'user' && ` · ${texts.by[event.actor]}`}
                    {event.device && ` · ${deviceName(event.device)}`}
                    {event.ip && ` · ${event.ip}`}
                  </p>
                </div>
              </li>
            ))}
          </ul>
        )}
      </Content>
      <Outcome failure={failure} notice={null} />
      {cursor !== null && (
        <div class="buttons">
          <button type="button" aria-disabled={isBusy} onClick={showMore}>
            {texts.more}
          </button>
        </div>
      )}
      <p class="small">
        {texts.notYou} <a href="#devices">{texts.notYouSays}</a>
      </p>
    </Section>
  );
}
