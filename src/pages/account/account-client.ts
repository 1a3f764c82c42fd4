import type { Client } from '../../client/client.entry.js';
import { createPasskeys } from '../../client/passkeys.entry.js';
import { askToConfirm } from '../components/step-up.tsx';
import { createPageClient } from '../page-client.js';

/** The client of pages for signed-in people: it asks them to confirm who they are where that is needed. */
export const client: Client = createPageClient({
  onChallenge: (challenge) => (challenge.type === 'step_up' ? askToConfirm(client, challenge) : undefined),
});

export const passkeys = createPasskeys(client);
