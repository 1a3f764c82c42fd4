/** express-session with connect-pg-simple, as both READMEs have it for production behind a proxy. */
import { randomBytes } from 'node:crypto';
import connectPgSimple from 'connect-pg-simple';
import session from 'express-session';
import { pool, signUp, verifyPassword } from './accounts.mjs';
import { app, json, listen } from './application.mjs';

const PgStore = connectPgSimple(session);

app.use(
  session({
    store: new PgStore({ pool, createTableIfMissing: true }),
    secret: randomBytes(32).toString('base64'),
    resave: false,
    saveUninitialized: false,
    cookie: { maxAge: 30 * 24 * 60 * 60 * 1000, secure: true, httpOnly: true, sameSite: 'lax' },
  }),
);

app.post('/signup', json, async (request, response) => {
  await signUp(request.body);
  response.status(201).json({});
});

app.post('/login', json, async (request, response) => {
  const user = await verifyPassword(request.body);
  if (!user) {
    response.status(401).json({});
    return;
  }
  await new Promise((resolve, reject) => {
    request.session.regenerate((error) => (error ? reject(error) : resolve()));
  });
  request.session.user = user;
  response.json({});
});

// The session contains the user: no further lookup is needed.
app.get('/me', (request, response) => {
  const { user } = request.session;
  response.json(user ? { logged_in: true, email: user.email } : { logged_in: false });
});

listen();
