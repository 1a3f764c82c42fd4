/**
 * passport-jwt with jsonwebtoken, ES256, as in the README: the key is a PEM string. The token contains the user; the
 * README also looks the account up in the database, which is omitted in its favour.
 */
import { generateKeyPairSync } from 'node:crypto';
import jwt from 'jsonwebtoken';
import passport from 'passport';
import { ExtractJwt, Strategy } from 'passport-jwt';
import { signUp, verifyPassword } from './accounts.mjs';
import { app, json, listen } from './application.mjs';

const ISSUER = 'https://auth.example.com';
const { privateKey, publicKey } = generateKeyPairSync('ec', {
  namedCurve: 'P-256',
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
});

passport.use(
  new Strategy(
    {
      jwtFromRequest: ExtractJwt.fromAuthHeaderAsBearerToken(),
      secretOrKey: publicKey,
      algorithms: ['ES256'],
      issuer: ISSUER,
      audience: ISSUER,
    },
    (claims, done) => done(null, { id: claims.sub, email: claims.email }),
  ),
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
  const token = jwt.sign({ email: user.email }, privateKey, {
    algorithm: 'ES256',
    subject: user.id,
    issuer: ISSUER,
    audience: ISSUER,
    expiresIn: '10m',
  });
  response.json({ access_token: token });
});

app.get('/me', passport.authenticate('jwt', { session: false }), (request, response) => {
  response.json({ logged_in: true, email: request.user.email });
});

listen();
