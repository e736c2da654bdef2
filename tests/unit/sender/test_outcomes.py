"""What a window's replies mean for its recipients and for the relay."""

from __future__ import annotations

from services.sender import outcomes
from services.sender.answers import Reply
from services.sender.transaction import Result

OK = Reply(250, "2.0.0", "Ok", ".")
UNKNOWN = Reply(550, "5.1.1", "no such user", "RCPT")
GREY = Reply(450, "4.2.0", "greylisted", "RCPT")
QUOTA = Reply(550, "5.4.5", "daily sending quota exceeded", "RCPT")


def judge(*replies: Reply | None, lost: int | None = None, **options: bool) -> outcomes.Window:
    """Judge one-recipient transactions from index 10 on; `lost` is the one in doubt."""
    results = [Result([reply], lost=number == lost) for number, reply in enumerate(replies)]
    settings = {"doubtful": False, "giving_up": False, **options}
    return outcomes.judge(results, 10, ms=1, **settings)


def test_all_accepted() -> None:
    """A window without trouble is one range and no failures."""
    window = judge(OK, OK, OK)
    assert (window.outcome.start, window.outcome.end) == (10, 13)
    assert (window.outcome.failures, window.accepted, window.trouble) == ((), 3, "")


def test_a_refused_recipient_fails_and_a_temporary_one_is_deferred() -> None:
    """5xx of recipient scope is recorded for good, 4xx is owed a retry, by index in the chunk."""
    window = judge(OK, UNKNOWN, GREY, OK)
    kinds = {failure.index: (failure.kind, failure.scope) for failure in window.outcome.failures}
    assert kinds == {11: ("failed", "recipient"), 12: ("deferred", "recipient")}
    assert window.outcome.end == 14
    assert not window.trouble


def test_trouble_with_the_relay_stops_the_window_and_blames_nobody() -> None:
    """From the quota on nobody has an outcome: they stay pending, in this chunk."""
    window = judge(OK, OK, QUOTA, QUOTA)
    assert window.outcome.end == 12
    assert window.outcome.failures == ()
    assert "quota" in window.trouble


def test_who_was_passed_over_before_an_accepted_one_is_deferred() -> None:
    """The ledger knows ranges only, so relay trouble in the middle becomes a retry, unblamed; and
    a relay that took what came last is in no trouble."""
    window = judge(OK, QUOTA, OK)
    assert (window.outcome.end, window.trouble, window.lasting) == (13, "", False)
    (failure,) = window.outcome.failures
    assert (failure.index, failure.kind, failure.scope) == (11, "deferred", "relay")


def test_a_broken_connection_leaves_the_rest_to_be_tried() -> None:
    """Recipients without a reply are tried again; only the one after the dot is in doubt."""
    window = judge(OK, None, None, lost=1)
    assert (window.outcome.end, window.doubt) == (11, 12)
    assert window.trouble == "the connection broke"
    window = judge(OK, None, None)
    assert (window.outcome.end, window.doubt) == (11, 11)


def test_a_shared_copy_in_doubt_is_in_doubt_for_all() -> None:
    """When the reply to a shared copy is lost, each of its recipients may have it."""
    window = outcomes.judge(
        [Result([None, None, None], lost=True)], 0, doubtful=False, ms=1, giving_up=False
    )
    assert (window.outcome.end, window.doubt) == (0, 3)


def test_a_window_sent_again_is_marked() -> None:
    """What may be a second copy says so in the ledger."""
    assert judge(OK, doubtful=True).outcome.possible_duplicate


def test_a_deferral_after_five_days_is_final() -> None:
    """When the time is up, a temporary refusal is recorded as failed, and says why."""
    (failure,) = judge(GREY, giving_up=True).outcome.failures
    assert failure.kind == "failed"
    assert "given up" in failure.text
