"""Verifies an access token as a service in another language does: PyJWT, and the keys from the JWKS.

Usage: verify_token.py JWKS_URL ISSUER AUDIENCE ALGORITHM, with the token on standard input.
Prints the claims as JSON, or the name of the refusal and exits 1.
"""

import json
import sys

import jwt

jwks_url, issuer, audience, algorithm = sys.argv[1:]
token = sys.stdin.read()

try:
    key = jwt.PyJWKClient(jwks_url).get_signing_key_from_jwt(token)
    claims = jwt.decode(
        token,
        key.key,
        algorithms=[algorithm],
        issuer=issuer,
        audience=audience,
        options={"require": ["exp", "iat", "nbf", "iss", "aud", "sub", "jti"]},
    )
except jwt.PyJWTError as error:
    print(type(error).__name__)
    sys.exit(1)

print(json.dumps(claims))
