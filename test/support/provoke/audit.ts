import type { TestApp } from '../app.js';
import { signIn } from '../strategies.js';
import type { Note } from './common.js';

/** What one's own audit trail answers. */
export async function provokeAudit(app: TestApp, note: Note): Promise<void> {
  const { client } = await signIn(app);
  await note(
    'get /users/me/events',
    client.get('/users/me/events'),
    client.get('/users/me/events?limit=1'),
    client.get('/users/me/events?limit=0'),
    client.get('/users/me/events?cursor=nothing'),
  );
}
