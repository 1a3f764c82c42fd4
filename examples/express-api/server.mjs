import express from 'express';
import { claimsOf, createVerifier } from 'traffy-verify';

const { TRAFFY_URL = 'http://localhost:8000', AUDIENCE = TRAFFY_URL, PORT = '4000' } = process.env;

const verifier = createVerifier({ issuer: TRAFFY_URL, audience: AUDIENCE, revocations: true });

/** Requires an authentication of the user within these seconds; else asks for a step-up (RFC 9470). */
const authenticatedWithin = (seconds) => (request, response, next) => {
  if (Date.now() / 1000 - claimsOf(request).auth_time <= seconds) return next();
  const challenge = `Bearer error="insufficient_user_authentication", max_age="${seconds}"`;
  response.set('WWW-Authenticate', challenge);
  response.status(401).json({ code: 'step_up_required', action: 'step_up' });
};

const app = express();
app.use(verifier.express());
app.get('/orders', (request, response) => response.json({ owner: claimsOf(request).sub }));
app.post('/payments', authenticatedWithin(300), (request, response) => {
  response.json({ payer: claimsOf(request).sub });
});
app.listen(Number(PORT));
