import json
import os
import re
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt

ISSUER, AUDIENCE, JWKS_URL = (os.environ[name] for name in ("ISSUER", "AUDIENCE", "JWKS_URL"))
COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
TYPES = ("at+jwt", "application/at+jwt")


class KeysUnavailable(Exception):
    """The keys are unavailable: the token may be good or bad."""


class KeySet:
    """The public keys by id. PyJWKClient would fetch them again for every token with an unknown id."""

    MAX_AGE, COOL_DOWN = 600, 5

    def __init__(self, url):
        self.url, self.keys, self.lock = url, {}, threading.Lock()
        self.tried = self.fetched = float("-inf")

    def find(self, kid):
        """Returns the key, or None."""
        with self.lock:
            now = time.monotonic()
            is_due = kid not in self.keys or now - self.fetched > self.MAX_AGE
            if is_due and now - self.tried > self.COOL_DOWN:
                self.tried = now
                self.fetch()
            if now - self.fetched > self.MAX_AGE:
                raise KeysUnavailable
            return self.keys.get(kid)

    def fetch(self):
        try:
            with urllib.request.urlopen(self.url, timeout=5) as reply:
                keys = json.load(reply)["keys"]
            self.keys = {jwk["kid"]: jwt.PyJWK(jwk).key for jwk in keys if jwk.get("alg") == "ES256"}
        except (OSError, ValueError, KeyError, jwt.PyJWTError) as error:
            raise KeysUnavailable from error
        self.fetched = self.tried


KEYS = KeySet(JWKS_URL)


def verify(token):
    """Returns the claims of a good token. Raises jwt.PyJWTError for a bad one."""
    # PyJWT ignores characters that are not base64url.
    if not COMPACT.fullmatch(token):
        raise jwt.DecodeError("not a compact JWS")
    header = jwt.get_unverified_header(token)
    # PyJWT checks neither.
    if "crit" in header or str(header.get("typ")).lower() not in TYPES:
        raise jwt.InvalidTokenError("not an access token")
    key = KEYS.find(header.get("kid"))
    if not key:
        raise jwt.InvalidKeyError("unknown key")
    claims = jwt.decode(
        token,
        key,
        algorithms=["ES256"],
        issuer=ISSUER,
        audience=AUDIENCE,
        # "nbf" is the start of validity; PyJWT would also refuse an "iat" in the future.
        options={"require": ["exp", "nbf", "iss", "aud", "sub", "sid"], "verify_iat": False},
        leeway=5,
    )
    # PyJWT accepts a string of digits.
    if type(claims["exp"]) is not int or type(claims["nbf"]) is not int:
        raise jwt.DecodeError("a time must be a number")
    return claims


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        try:
            if scheme.lower() != "bearer":
                raise jwt.InvalidTokenError("no token")
            self.answer(200, f"Hello {verify(token)['sub']}\n")
        except jwt.PyJWTError:
            self.answer(401)
        except KeysUnavailable:
            self.answer(503)

    def answer(self, status, text=""):
        self.send_response(status)
        if status == 401:
            self.send_header("WWW-Authenticate", "Bearer")
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
