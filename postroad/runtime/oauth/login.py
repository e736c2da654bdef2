"""How a person logs in, once: by browser (RFC 8252, PKCE of RFC 7636) or device code (RFC 8628).

All of it blocks or is quick; `save` stores what came of it, where running services find it.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode, urlsplit

from authlib.common.security import generate_token
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oauth2.rfc8628 import DEVICE_CODE_GRANT_TYPE

from postroad.runtime.errors import PostroadError, UsageError
from postroad.runtime.oauth import endpoint
from postroad.runtime.oauth.endpoint import Grant, Refused
from postroad.runtime.oauth.keeper import question
from postroad.runtime.oauth.provider import identity, provider, settings
from postroad.runtime.oauth.refusals import Refusal, TokenError, at_login, passing
from postroad.runtime.oauth.store import Login, Store
from postroad.runtime.settings import Relay, Source

INTERVAL = 5.0  # seconds between two questions for a device, unless told (RFC 8628 section 3.2)
SLOWER = 5.0  # more of them after slow_down (section 3.5)


@dataclass(frozen=True)
class Attempt:
    """One login by browser: `url` is to be opened, and ends at `redirect` with our `state`."""

    url: str
    redirect: str
    state: str = field(repr=False)
    verifier: str = field(repr=False)


@dataclass(frozen=True)
class Device:
    """One login by device code: `code` is to be entered at `url` within `seconds`."""

    url: str
    code: str
    seconds: float
    interval: float
    secret: str = field(repr=False)


@dataclass(frozen=True)
class Pending:
    """Nobody has entered the code yet: `longer` (s) is to be waited between two questions than
    before; `trouble` says why the last one was not answered, if it was not."""

    longer: float = 0.0
    trouble: str = ""


class StateMismatch(UsageError):
    """A redirect that does not belong to this login; nothing was changed."""


def by_browser(account: Source | Relay, port: int) -> Attempt:
    """Begin a login that ends at `port` of this machine."""
    known, oauth2 = provider(settings(account)), settings(account)
    redirect = f"http://{known.redirect_host}:{port}"
    state, verifier = generate_token(32), generate_token(64)
    url = prepare_grant_uri(
        known.authorize_url,
        client_id=oauth2.client_id,
        response_type="code",
        redirect_uri=redirect,
        scope=known.scope,
        state=state,
        code_challenge=create_s256_code_challenge(verifier),
        code_challenge_method="S256",
        login_hint=account.user,  # so that nobody logs in as somebody else by accident
        **known.extra,
    )
    return Attempt(str(url), redirect, state, verifier)


def redeemed(account: Source | Relay, attempt: Attempt, redirected: str) -> Grant:
    """The tokens for the URL that the browser was sent to. Raises StateMismatch, TokenError."""
    answer = dict(parse_qsl(urlsplit(redirected).query))
    if not hmac.compare_digest(answer.get("state", "").encode(), attempt.state.encode()):
        raise StateMismatch("this is not the answer to this login; open the URL again")
    if "code" not in answer:
        error = answer.get("error", "")
        error = error if re.fullmatch("[a-z_]{1,60}", error) else "access_denied"
        raise at_login(Refusal(error), account)
    body = endpoint.form(
        account,
        "authorization_code",
        code=answer["code"],
        redirect_uri=attempt.redirect,
        code_verifier=attempt.verifier,
    )
    try:
        return endpoint.token(account, body)
    except Refused as error:
        if error.refusal.error == "invalid_grant":  # here it is the code that is not valid
            text = "the provider no longer takes this answer; run the command again"
            raise PostroadError(text) from None
        raise at_login(error.refusal, account) from None


def by_device(account: Source | Relay) -> Device:
    """Begin a login by device code. Raises TokenError."""
    known, oauth2 = provider(settings(account)), settings(account)
    body = urlencode({"client_id": oauth2.client_id, "scope": known.scope})
    try:
        answer = endpoint.post(known.device_url, body)
        url = answer.get("verification_uri") or answer["verification_url"]  # Google's older name
        return Device(
            url=_printable(url),
            code=_printable(answer["user_code"]),
            seconds=min(float(answer.get("expires_in", 900)), 3_600.0),
            interval=min(max(float(answer.get("interval", INTERVAL)), 0.1), 60.0),
            secret=str(answer["device_code"]),
        )
    except Refused as error:
        raise at_login(error.refusal, account, "device_url") from None
    except (KeyError, TypeError, ValueError):
        raise TokenError(f"{known.device_url} gives no device code; check device_url") from None


def polled(account: Source | Relay, device: Device) -> Grant | Pending:
    """The tokens, once somebody has entered the code; until then what to do. Raises TokenError."""
    body = endpoint.form(account, DEVICE_CODE_GRANT_TYPE, device_code=device.secret)
    try:
        return endpoint.token(account, body)
    except Refused as error:
        match error.refusal.error:
            case "authorization_pending":
                return Pending()
            case "slow_down":
                return Pending(SLOWER)
            case "authorization_declined":  # Microsoft's word
                raise at_login(Refusal("access_denied"), account) from None
            case "bad_verification_code":
                raise at_login(Refusal("expired_token"), account) from None
        if not error.refusal.lasting:
            return Pending(SLOWER, passing(error.refusal, account))
        raise at_login(error.refusal, account) from None


def alone(account: Source | Relay) -> Grant:
    """The tokens of an account that needs no person. Raises TokenError."""
    try:
        return endpoint.token(account, question(Login(), account))
    except Refused as error:
        raise at_login(error.refusal, account) from None


def save(store: Store, account: Source | Relay, grant: Grant) -> None:
    """Store a login; running services see it at once. Raises TokenError when it would not last."""
    oauth2, name = settings(account), identity(account)
    if oauth2.flow == "login" and not grant.refresh_token:
        raise at_login(Refusal("no_refresh_token"), account)
    if oauth2.provider == "google" and grant.scope:
        wanted = provider(oauth2).scope.split()
        if not set(wanted) <= set(grant.scope.split()):
            raise at_login(Refusal("no_mail_scope"), account)
    login = Login(
        refresh_token=grant.refresh_token,
        access_token=grant.access_token,
        lifetime=grant.lifetime,
        issued=grant.asked,
        since=grant.asked.wall,
    )
    with store.locked(name):
        try:
            store.write(name, login)
        except OSError as error:
            why = (error.strerror or "cannot be written").lower()
            raise PostroadError(f"the login cannot be stored in state_dir: {why}") from None


def _printable(text: object) -> str:
    """What is shown on a terminal: no control characters. Raises ValueError."""
    if not isinstance(text, str) or not text.isprintable() or not 0 < len(text) <= 2_000:
        raise ValueError("not printable")
    return text
