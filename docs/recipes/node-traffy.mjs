import { createServer } from 'node:http';
import { claimsOf, createVerifier } from 'traffy/verify';

const { ISSUER, AUDIENCE, JWKS_URL, PORT } = process.env;
const verifier = createVerifier({ issuer: ISSUER, audience: AUDIENCE, jwksUri: JWKS_URL });
const protect = verifier.express();

createServer((request, response) => {
  protect(request, response, () => response.end(`Hello ${claimsOf(request).sub}\n`));
}).listen(Number(PORT), '127.0.0.1');
