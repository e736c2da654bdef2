"""One question to a token or device endpoint, and what its answer means. For a thread: blocks."""

from __future__ import annotations

import math
import re
import ssl
from dataclasses import dataclass, field
from typing import Any

import httpx
import msgspec
from authlib.oauth2.rfc6749.parameters import prepare_token_request

from postroad.runtime.oauth.exchange import TooLarge, exchange
from postroad.runtime.oauth.lifetime import Stamp, now
from postroad.runtime.oauth.provider import provider, settings
from postroad.runtime.oauth.refusals import Refusal
from postroad.runtime.settings import Relay, Source, client_secret

SECONDS = 12.0  # for all of it, from the look-up of the name to the end of the answer
LARGEST = 256 * 1024
UNSAID = 3_600.0  # lifetime of a token that says none: RFC 6749 section 5.1 leaves it to us
LONGEST = 30 * 86_400.0
_TOKEN = re.compile(r"[\x21-\x7e]+")  # RFC 6749 appendix A.12; must not break a SASL answer
_ERROR = re.compile(r"[a-z_]{1,60}")
_FORM = {
    "Accept": "application/json",
    "Content-Type": "application/x-www-form-urlencoded",
}


class Refused(Exception):
    """No token. `retry_after` in seconds, where the server said so."""

    def __init__(self, refusal: Refusal, retry_after: float = 0.0) -> None:
        super().__init__(refusal.error)
        self.refusal = refusal
        self.retry_after = retry_after


@dataclass(frozen=True)
class Grant:
    """What an endpoint gave: tokens ("": none), lifetime in seconds from the moment `asked`, the
    scope where it says one."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    lifetime: float
    asked: Stamp
    scope: str


def form(account: Source | Relay, grant_type: str, **fields: str) -> str:
    """The body of a request to the token endpoint, with client and secret. SettingsError when the
    secret cannot be read."""
    fields["client_id"] = settings(account).client_id
    if secret := client_secret(account):
        fields["client_secret"] = secret
    return str(prepare_token_request(grant_type, **fields))


def token(account: Source | Relay, body: str) -> Grant:
    """Ask the token endpoint. Raises Refused."""
    asked = now()  # before, not after: so much of its life has passed at most
    return granted(post(provider(settings(account)).token_url, body), asked)


def granted(answer: dict[str, Any], asked: Stamp) -> Grant:
    """The tokens of an answer. Raises Refused when there are none that can be used."""
    access, refresh = answer.get("access_token"), answer.get("refresh_token") or ""
    if not isinstance(access, str) or not _TOKEN.fullmatch(access) or not isinstance(refresh, str):
        raise Refused(Refusal("no_token"))
    scope = answer.get("scope")
    lifetime = _lifetime(answer.get("expires_in"))
    return Grant(access, refresh, lifetime, asked, scope if isinstance(scope, str) else "")


def post(url: str, body: str) -> dict[str, Any]:
    """Ask an endpoint; its answer as a JSON object. Raises Refused for anything else."""
    try:
        answer = exchange(url, body, _FORM, seconds=SECONDS, largest=LARGEST)
    except TooLarge:
        raise Refused(Refusal("no_token")) from None
    except (httpx.TimeoutException, TimeoutError):
        raise Refused(Refusal("timeout")) from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise Refused(Refusal("untrusted" if _by_certificate(error) else "unreachable")) from None
    return understood(answer.status, answer.body, answer.retry_after)


def understood(status: int, data: bytes, retry_after: str) -> dict[str, Any]:
    """The JSON object of a good answer. Raises Refused with what any other means."""
    try:
        answer = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        answer = {"error": None}
    if status == 200 and "error" not in answer:
        return answer
    raise Refused(_refusal(answer, status), _seconds(retry_after))


def _refusal(answer: dict[str, Any], status: int) -> Refusal:
    error = answer.get("error")
    if status >= 500 or status == 429 or not isinstance(error, str) or not _ERROR.fullmatch(error):
        return Refusal("no_token" if status == 200 else "http", status=status)
    number = re.match(r"AADSTS(\d{4,8})\b", str(answer.get("error_description", "")))
    return Refusal(error, number[1] if number else "", status)


def _lifetime(told: object) -> float:
    """Seconds from `expires_in`, which some send as text."""
    try:
        seconds = float(told) if isinstance(told, int | float | str) else UNSAID
    except (ValueError, OverflowError):
        return UNSAID
    return min(seconds, LONGEST) if math.isfinite(seconds) and seconds > 0 else UNSAID


def _seconds(told: str) -> float:
    return min(float(told), LONGEST) if re.fullmatch(r"\d{1,6}", told) else 0.0


def _by_certificate(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False
