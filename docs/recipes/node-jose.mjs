import { createServer } from 'node:http';
import { createRemoteJWKSet, errors, jwtVerify } from 'jose';

const { ISSUER, AUDIENCE, JWKS_URL, PORT } = process.env;
const keys = createRemoteJWKSet(new URL(JWKS_URL), { cacheMaxAge: 600_000, cooldownDuration: 5_000 });
const COMPACT = /^[\w-]+\.[\w-]+\.[\w-]+$/;

async function verify(token) {
  // jose also accepts padded base64url.
  if (!COMPACT.test(token)) throw new errors.JWSInvalid('not a compact JWS');
  const { payload } = await jwtVerify(token, keys, {
    algorithms: ['ES256'],
    typ: 'at+jwt',
    issuer: ISSUER,
    audience: AUDIENCE,
    requiredClaims: ['exp', 'nbf', 'sub', 'sid'],
    clockTolerance: 5,
  });
  return payload;
}

/** The keys are unavailable: the token may be good or bad. */
function isUndecided({ code }) {
  return !code?.startsWith('ERR_J') || /^ERR_(JWKS_(TIMEOUT|INVALID)|JOSE_GENERIC)$/.test(code);
}

createServer(async (request, response) => {
  const [scheme, token = ''] = (request.headers.authorization ?? '').split(' ', 2);
  try {
    if (scheme.toLowerCase() !== 'bearer') throw new errors.JWSInvalid('no token');
    const { sub } = await verify(token);
    response.end(`Hello ${sub}\n`);
  } catch (error) {
    response.writeHead(isUndecided(error) ? 503 : 401, { 'www-authenticate': 'Bearer' }).end();
  }
}).listen(Number(PORT), '127.0.0.1');
