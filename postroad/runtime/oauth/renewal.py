"""What to do with a login now, and what becomes of it: pure, the time comes in as an argument."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Literal

import msgspec

from postroad.runtime.oauth import lifetime
from postroad.runtime.oauth.endpoint import Grant
from postroad.runtime.oauth.lifetime import Stamp
from postroad.runtime.oauth.refusals import Refusal
from postroad.runtime.oauth.store import Failure, Login

Step = Literal["use", "ask", "failed", "turned down"]


def judge(
    login: Login, now: Stamp, *, refused: str, chance: float, asked: Callable[[], str]
) -> Step:
    """The next step: `use` the access token there is, `ask` for a new one, or neither, because the
    last question `failed` a moment ago or new tokens are `turned down`. `asked` gives the digest of
    the question as it would be put now."""
    alive = lives(login, now, refused)
    old = _age(login, now)
    if alive and old is not None and old < lifetime.renewed_at(login.lifetime, chance):
        return "use"
    if login.failure is not None and _waits(login.failure, now) and login.failure.asked == asked():
        return "use" if alive else "failed"
    if refused and refused == login.access_token and old is not None:
        just_now = old < lifetime.pause(login.turned_down, lifetime.TURNED_DOWN)
        return "turned down" if just_now else "ask"
    return "ask"


def lives(login: Login, now: Stamp, refused: str = "") -> bool:
    """Whether the access token may still be used by who was not `refused` with it."""
    old = _age(login, now)
    usable = old is not None and old < lifetime.usable_until(login.lifetime)
    return usable and login.access_token not in ("", refused)


def granted(login: Login, grant: Grant, *, refused: str) -> Login:
    """The login with new tokens; a refresh token that was not rotated stays. `refused` is the
    token that was turned down, if that is why."""
    forced = bool(refused) and refused == login.access_token
    old = _age(login, grant.asked)
    again = old is not None and old < 2 * lifetime.TURNED_DOWN[1]  # else it had worked
    return Login(
        refresh_token=grant.refresh_token or login.refresh_token,
        access_token=grant.access_token,
        lifetime=grant.lifetime,
        issued=grant.asked,
        since=login.since,
        turned_down=(login.turned_down if again else 0) + 1 if forced else 0,
    )


def failed(login: Login, refusal: Refusal, asked: str, now: Stamp, retry_after: float) -> Login:
    """The login after a question that failed; `retry_after` (s) is what the server wished."""
    before = login.failure
    times = before.times + 1 if before and before.asked == asked else 1
    pause = lifetime.pause(times, lifetime.PAUSES)
    pause = lifetime.LASTING if refusal.lasting else max(pause, min(retry_after, lifetime.LASTING))
    return msgspec.structs.replace(login, failure=Failure(refusal, now, times, pause, asked))


def digest(question: str) -> str:
    """What tells one question from another without being it."""
    return hashlib.sha256(question.encode()).hexdigest()


def _waits(failure: Failure, now: Stamp) -> bool:
    old = lifetime.age(failure.at, now)
    return old is not None and old < failure.pause


def _age(login: Login, now: Stamp) -> float | None:
    return lifetime.age(login.issued, now) if login.access_token and login.issued else None
