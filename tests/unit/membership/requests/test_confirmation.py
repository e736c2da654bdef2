"""Confirmations: who may use a token, and when."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from postroad.testing import Given
from schemas.pending import ConfirmationAsked, ConfirmationUsed, ConfirmationWithdrawn
from services.membership.requests.confirmation import (
    NotConfirmedError,
    State,
    decide_decline,
    decide_use,
    decide_withdraw,
    fold,
    key_of,
    token_of,
)

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
KEY = b"k" * 32
ASKED = ConfirmationAsked(
    list="team",
    action="join",
    address="anna@example.net",
    cause="0" * 32,
    expires=NOW + timedelta(days=3),
)
names = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)


def test_a_token_in_time_is_used() -> None:
    """The answer ends the question, and keeps it beside itself."""
    Given(fold([ASKED])).when(decide_use, list_="team", by="mail", now=NOW).then(
        ASKED, ConfirmationUsed(by="mail")
    )


def test_the_mail_that_used_it_may_again() -> None:
    """A mail handled twice is not refused for what it did itself; any other is."""
    used = Given(fold([ASKED, ConfirmationUsed(by="mail")]))
    used.when(decide_use, list_="team", by="mail", now=NOW + timedelta(days=9)).then_nothing()
    used.when(decide_use, list_="team", by="other", now=NOW).then_refused(
        NotConfirmedError, "token_used"
    )


def test_late_foreign_and_unknown_tokens_are_refused() -> None:
    """A token works until it expires, at its own list, if we made it."""
    asked = Given(fold([ASKED]))
    asked.when(decide_use, list_="team", by="mail", now=ASKED.expires).then_refused(
        NotConfirmedError, "token_expired"
    )
    asked.when(decide_use, list_="crew", by="mail", now=NOW).then_refused(
        NotConfirmedError, "token_unknown"
    )
    Given(State()).when(decide_use, list_="team", by="mail", now=NOW).then_refused(
        NotConfirmedError, "token_unknown"
    )
    asked.when(decide_use, list_="", by="mail", now=NOW).then(ASKED, ConfirmationUsed(by="mail"))


def test_no_ends_a_question_as_yes_does() -> None:
    """Whoever says no is asked no more by that token; the mail that said so may say it again."""
    asked = Given(fold([ASKED]))
    no = ConfirmationWithdrawn(by="mail")
    asked.when(decide_decline, list_="team", by="mail", now=NOW).then(ASKED, no)
    declined = Given(fold([ASKED, no]))
    declined.when(decide_decline, list_="team", by="mail", now=NOW).then_nothing()
    for decide in (decide_decline, decide_use):
        declined.when(decide, list_="team", by="other", now=NOW).then_refused(
            NotConfirmedError, "token_withdrawn"
        )
    used = Given(fold([ASKED, ConfirmationUsed(by="mail")]))
    used.when(decide_decline, list_="team", by="other", now=NOW).then_refused(
        NotConfirmedError, "token_used"
    )


def test_another_question_takes_the_place_of_one_that_waits() -> None:
    """A question is withdrawn unless it was answered, also before an interrupted try has stored
    it, and once."""
    gone = ConfirmationWithdrawn(by="other")
    Given(fold([ASKED])).when(decide_withdraw, by="other").then(ASKED, gone)
    Given(State()).when(decide_withdraw, by="other").then(gone)
    Given(fold([gone])).when(decide_withdraw, by="third").then_nothing()
    Given(fold([ASKED, ConfirmationUsed(by="mail")])).when(
        decide_withdraw, by="other"
    ).then_nothing()


@given(st.lists(st.tuples(names, names, names), min_size=2, max_size=2, unique=True))
def test_a_token_is_of_one_question(asked: list[tuple[str, str, str]]) -> None:
    """The same question has the same token; another mail, list, address, action or site has
    another; all survive servers that fold case, and fit a local part."""
    (cause, list_, address), other = asked
    token = token_of(KEY, cause, list_, "join", address)
    assert re.fullmatch(r"[a-z2-7]{26}", token)
    assert token == token_of(KEY, cause, list_, "join", address)
    assert token != token_of(KEY, other[0], other[1], "join", other[2])
    assert token != token_of(KEY, cause, list_, "leave", address)
    assert token != token_of(b"x" * 32, cause, list_, "join", address)


@given(st.text())
def test_any_text_has_a_key_fit_for_a_subject(token: str) -> None:
    """What comes back as a token may be anything; what it is looked up by is hex."""
    assert re.fullmatch(r"[0-9a-f]{64}", key_of(KEY, token))


def test_nothing_stored_is_nothing_asked() -> None:
    """A subject without a message is a token nobody made."""
    assert fold([]) == State()
