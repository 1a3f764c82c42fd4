import { createClient } from 'traffy-client';

const askForCode = () => ({ code: prompt('Code of your authenticator app') ?? '' });

export const client = createClient({
  baseUrl: import.meta.env.VITE_TRAFFY_URL ?? 'http://localhost:8000',
  transport: 'bearer',
  onChallenge: askForCode,
});
