"""Why there is no token, in words that a person can act on."""

from __future__ import annotations

import pytest

from postroad.runtime.oauth.refusals import (
    _ERRORS,
    _MICROSOFT,
    _PASSING,
    Refusal,
    at_login,
    refused,
    turned_down,
)
from postroad.runtime.settings import OAuth2, Relay, Source

GOOGLE = OAuth2(provider="google", client_id="client-1")
MICROSOFT = OAuth2(provider="microsoft", client_id="client-1")


def source(oauth2: OAuth2) -> Source:
    """The mailbox of an account."""
    return Source(name="box", host="imap.example.org", user="lists@example.org", oauth2=oauth2)


def test_a_google_login_that_ended_is_explained() -> None:
    """The line says what happened, why, what becomes of mail, and what to run."""
    error = refused(Refusal("invalid_grant"), source(GOOGLE))
    assert error.lasting
    for words in (
        "invalid_grant",
        'an app in "testing" loses its login after 7 days',
        "password was changed",
        "mail waits on its server",
        "postroad oauth login box",
    ):
        assert words in error.reason


def test_a_microsoft_login_that_nobody_used_is_explained() -> None:
    """Microsoft's number chooses the words; without one there are the usual causes."""
    told = refused(Refusal("invalid_grant", "700082"), source(MICROSOFT)).reason
    assert "nobody used the login for 90 days" in told
    assert "90 days" in refused(Refusal("invalid_grant"), source(MICROSOFT)).reason


def test_mail_waits_where_it_is() -> None:
    """A source's mail waits on its server, a relay's here."""
    relay = Relay(name="out", host="smtp.example.org", user="lists@example.org", oauth2=GOOGLE)
    assert "mail waits here" in refused(Refusal("invalid_grant"), relay).reason


@pytest.mark.parametrize("error", [*_ERRORS, "some_new_error"])
@pytest.mark.parametrize("number", ["", *_MICROSOFT, "999999"])
def test_every_refusal_is_one_line_with_a_remedy(error: str, number: str) -> None:
    """Whatever a provider says, the line is whole, names no address and says what to do."""
    told = refused(Refusal(error, number), source(MICROSOFT))
    assert told.lasting
    assert "\n" not in told.reason
    assert "{" not in told.reason
    assert "@" not in told.reason
    assert any(
        word in told.reason for word in ("oauth login box", "check", "set ", "write ", "remove ")
    )


@pytest.mark.parametrize("error", [*_PASSING, "http"])
def test_what_passes_is_not_for_a_person_to_mend(error: str) -> None:
    """Outages are tried again and raise no alarm."""
    told = refused(Refusal(error, status=503), source(GOOGLE))
    assert not told.lasting
    assert "tried again by itself" in told.reason


@pytest.mark.parametrize("error", [*_PASSING, *_ERRORS, "http"])
def test_whoever_logs_in_is_told_what_to_do_now(error: str) -> None:
    """At a login nothing is tried again by itself, and no mail need wait."""
    told = at_login(Refusal(error, status=503), source(GOOGLE), "device_url").reason
    assert "by itself" not in told
    assert "mail waits" not in told
    assert "token_url" not in told or error in _ERRORS


def test_nobody_was_asked_before_the_first_login() -> None:
    """Before there is a login, no provider has refused anything."""
    told = refused(Refusal("no_login"), source(GOOGLE)).reason
    assert told == "nobody has logged in yet; run: postroad oauth login box"


def test_too_many_questions_pass_whatever_the_answer_says() -> None:
    """429 is never for good."""
    assert not Refusal("invalid_request", status=429).lasting


def test_a_server_that_turns_down_new_tokens_is_named() -> None:
    """What a new token cannot mend is said to be wrong elsewhere."""
    error = turned_down(source(GOOGLE), lasting=True)
    assert "imap.example.org turns down new tokens" in error.reason
    assert "@" not in error.reason
