"""What the answers of a token endpoint mean, whatever it answers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from postroad.runtime.oauth.endpoint import LONGEST, UNSAID, Refused, granted, understood
from postroad.runtime.oauth.lifetime import Stamp
from postroad.runtime.oauth.refusals import Refusal

ASKED = Stamp("boot", 1.0, 2.0)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def refusal(status: int, answer: Any, retry_after: str = "") -> Refused:
    """What an answer that gives no token means."""
    with pytest.raises(Refused) as caught:
        understood(status, json.dumps(answer).encode(), retry_after)
    return caught.value


@given(st.integers(100, 599), st.binary(), st.text())
@example(200, b"[" * 100_000, "")
@example(200, b"\xff", "1" * 400)
def test_no_answer_is_too_strange(status: int, data: bytes, retry_after: str) -> None:
    """Any bytes are either an object, or a refusal that can be stored and explained."""
    try:
        answer = understood(status, data, retry_after)
    except Refused as error:
        assert 0 <= error.retry_after <= LONGEST  # noqa: PT017 - either outcome is right
        return
    assert isinstance(answer, dict)


@given(st.dictionaries(st.sampled_from(["access_token", "refresh_token", "expires_in"]), anything))
def test_what_is_granted_can_be_used(answer: dict[str, Any]) -> None:
    """A token that is taken is printable and lives for a while, or nothing is taken."""
    try:
        grant = granted(answer, ASKED)
    except Refused as error:
        assert error.refusal == Refusal("no_token")  # noqa: PT017 - either outcome is right
    else:
        assert grant.access_token.isprintable()
        assert grant.access_token.isascii()
        assert 0 < grant.lifetime <= LONGEST


@pytest.mark.parametrize(
    ("told", "lifetime"),
    [
        (3599, 3599.0),
        ("3599", 3599.0),
        (None, UNSAID),
        (0, UNSAID),
        (-5, UNSAID),
        ("soon", UNSAID),
        (1e300, LONGEST),
        (10**400, UNSAID),
    ],
)
def test_a_lifetime_is_what_expires_in_says(told: object, lifetime: float) -> None:
    """Seconds as number or text; without any an hour is assumed."""
    assert granted({"access_token": "a", "expires_in": told}, ASKED).lifetime == lifetime


def test_a_token_that_would_break_a_login_is_none() -> None:
    """XOAUTH2 separates its parts by control characters: a token must not hold one."""
    for token in ("a\x01b", "a b", "a\r\n", "ä", "", 7, None):
        with pytest.raises(Refused):
            granted({"access_token": token}, ASKED)


@pytest.mark.parametrize(
    ("status", "answer", "meant"),
    [
        (400, {"error": "invalid_grant"}, Refusal("invalid_grant", "", 400)),
        (
            400,
            {"error": "invalid_grant", "error_description": "AADSTS700082: The refresh token"},
            Refusal("invalid_grant", "700082", 400),
        ),
        (200, {"error": "slow_down"}, Refusal("slow_down", "", 200)),
        (400, {"error": "a@b.example \x1b[2J"}, Refusal("http", "", 400)),
        (503, {"error": "invalid_grant"}, Refusal("http", "", 503)),
        (429, {"error": "invalid_client"}, Refusal("http", "", 429)),
        (200, ["a"], Refusal("no_token", "", 200)),
        (302, {"access_token": "a"}, Refusal("http", "", 302)),
    ],
)
def test_a_refusal_is_its_code_and_nothing_else(
    status: int, answer: object, meant: Refusal
) -> None:
    """Errors of RFC 6749 and Microsoft's number are kept; an overloaded server is an outage."""
    assert refusal(status, answer).refusal == meant


def test_retry_after_is_heard() -> None:
    """A server may say in seconds when to come back; dates are not read, clocks may be off."""
    assert refusal(429, {}, "120").retry_after == 120.0
    assert refusal(503, {}, "Fri, 20 Nov 2026 12:00:00 GMT").retry_after == 0.0
