"""What a window's replies mean for its recipients and for the relay."""

from __future__ import annotations

import pytest

from schemas.road import Failure
from services.sender import outcomes
from services.sender.answers import Reply
from services.sender.transaction import Result
from services.sender.window import Plan

OK = Reply(250, "2.0.0", "Ok", ".")
UNKNOWN = Reply(550, "5.1.1", "no such user", "RCPT")
GREY = Reply(450, "4.2.0", "greylisted", "RCPT")
QUOTA = Reply(550, "5.4.5", "daily sending quota exceeded", "RCPT")


def judge(*replies: Reply | None, lost: int | None = None, **options: object) -> outcomes.Window:
    """Judge one-recipient transactions from index 10 on; `lost` is the one in doubt."""
    results = [Result([reply], lost=number == lost) for number, reply in enumerate(replies)]
    whole = Plan(10, 10 + len(replies), range(10, 10 + len(replies)))
    return judge_plan(results, whole, **options)


def judge_plan(results: list[Result], plan: Plan, **options: object) -> outcomes.Window:
    """Judge the results of a planned window."""
    doubt: frozenset[int] = frozenset(options.pop("doubt", ()))  # type: ignore[call-overload]
    giving_up = bool(options.pop("giving_up", False))
    assert not options
    return outcomes.judge(results, plan, doubt=doubt, ms=1, giving_up=giving_up)


def test_all_accepted() -> None:
    """A window without trouble is one range and no failures."""
    window = judge(OK, OK, OK)
    assert (window.outcome.start, window.outcome.end) == (10, 13)
    assert (window.outcome.failures, window.accepted, window.trouble) == ((), 3, "")


def test_who_is_seen_to_have_one_copy_is_in_no_doubt() -> None:
    """Of those who may have had a copy before, who was found to have that one has no second."""
    results = [Result([OK, OK], found=frozenset([1])), Result([OK])]
    window = judge_plan(results, Plan(10, 13, range(10, 13)), doubt=[10, 11])
    assert (window.outcome.doubtful, window.outcome.possible_duplicate) == ((10,), True)
    results = [Result([OK], found=frozenset([0]))]
    window = judge_plan(results, Plan(10, 11, range(10, 11)), doubt=[10])
    assert (window.outcome.doubtful, window.outcome.possible_duplicate) == ((), False)


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
    assert (window.outcome.end, list(window.lost)) == (11, [11])
    assert window.trouble == "the connection broke"
    window = judge(OK, None, None)
    assert (window.outcome.end, list(window.lost)) == (11, [])


def test_a_shared_copy_in_doubt_is_in_doubt_for_all() -> None:
    """When the reply to a shared copy is lost, each of its recipients may have it."""
    window = judge_plan([Result([None, None, None], lost=True)], Plan(0, 3, range(3)))
    assert (window.outcome.end, list(window.lost)) == (0, [0, 1, 2])


def test_who_was_refused_cannot_have_a_lost_copy() -> None:
    """Of a shared copy whose reply is lost, only those who were answered nothing are in doubt."""
    window = judge_plan([Result([None, UNKNOWN, None], lost=True)], Plan(0, 3, range(3)))
    assert sorted(window.lost) == [0, 2]


def test_who_may_have_a_second_copy_is_marked() -> None:
    """Of a window sent again just those whose first copy was in doubt, whatever comes later; not
    those who left or finally failed."""
    outcome = judge(OK, OK, UNKNOWN, GREY, doubt={3, 11, 12, 13, 14}).outcome
    assert (outcome.possible_duplicate, outcome.doubtful) == (True, (11, 13))
    assert not judge(OK, OK, doubt={3, 40}).outcome.possible_duplicate


def test_a_deferral_after_five_days_is_final() -> None:
    """When the time is up, a temporary refusal is recorded as failed, and says why."""
    (failure,) = judge(GREY, giving_up=True).outcome.failures
    assert failure.kind == "failed"
    assert "given up" in failure.text


def gone(index: int) -> Failure:
    """Somebody who left."""
    return Failure(index=index, code=0, text="left the list", kind="left")


def waits(index: int) -> Failure:
    """Somebody whose domain has to wait."""
    return Failure(index=index, code=0, text="slow", kind="deferred", scope="destination")


def test_who_is_withheld_has_an_outcome_without_being_offered() -> None:
    """Replies belong to those who were offered; the others stand between them in their order."""
    plan = Plan(10, 15, (11, 13, 14), (gone(10), waits(12)))
    window = judge_plan([Result([OK]), Result([UNKNOWN]), Result([OK])], plan)
    found = [(failure.index, failure.kind) for failure in window.outcome.failures]
    assert found == [(10, "left"), (12, "deferred"), (13, "failed")]
    assert (window.outcome.end, window.accepted, window.trouble) == (15, 2, "")


def test_relay_trouble_ends_the_outcome_before_who_was_offered() -> None:
    """Who is withheld behind the trouble has no outcome yet, and is asked about again."""
    plan = Plan(10, 16, (11, 13, 15), (gone(10), gone(12), gone(14)))
    window = judge_plan([Result([OK]), Result([QUOTA]), Result([None], lost=True)], plan)
    assert [failure.index for failure in window.outcome.failures] == [10, 12]
    assert (window.outcome.end, list(window.lost)) == (13, [15])


def test_who_was_not_asked_is_not_given_up() -> None:
    """The last try is one: who waits for a domain in a window of others gets it in another."""
    plan = Plan(10, 12, (), (gone(10), waits(11)))
    kinds = [failure.kind for failure in judge_plan([], plan, giving_up=True).outcome.failures]
    assert kinds == ["left", "deferred"]


def test_whose_answer_may_come_yet() -> None:
    """Who is waited for elsewhere comes again in a chunk of their domain, named in case the sender
    dies meanwhile; who was behind is still to be sent, here."""
    awaited = Result([None], lost=True, awaited=True)
    results = [Result([OK]), awaited, Result([None]), Result([None])]
    window = judge_plan(results, Plan(10, 14, range(10, 14)))
    assert (window.outcome.end, window.accepted, window.moved) == (12, 1, True)
    (failure,) = window.outcome.failures
    assert (failure.index, failure.kind, failure.scope) == (11, "deferred", "destination")
    assert window.outcome.doubtful == (11,)
    awaited.settle([0], OK)  # in the same moment
    window = judge_plan(results, Plan(10, 14, range(10, 14)))
    assert (window.outcome.failures, window.outcome.doubtful, window.accepted) == ((), (), 2)


def test_who_is_waited_for_is_not_offered_again() -> None:
    """A window goes as far as the last whose answer may come yet: who was passed over on the way
    is deferred, and the relay's trouble behind is another matter."""
    throttled = Reply(450, "4.7.1", "too many recipients from you", "RCPT")
    results = [Result([OK]), Result([throttled]), Result([None], lost=True), Result([None])]
    results[2].leave()
    window = judge_plan(results, Plan(0, 4, range(4)))
    assert window.outcome.end == 3
    assert [(f.index, f.kind, f.scope) for f in window.outcome.failures] == [
        (1, "deferred", "relay"),
        (2, "deferred", "destination"),
    ]
    assert window.outcome.doubtful == (2,)


def asked(result: Result, whom: int | None) -> Result:
    """The result, where the session ended at this recipient, -1 for the message."""
    result.asked = whom
    return result


BYE = Reply(421, "4.3.2", "bye", "RCPT")
HANG_UPS = {
    "at an RCPT": (asked(Result([None, None, None]), 1), 11),
    "421 to an RCPT": (asked(Result([None, BYE, None]), 2), 11),
    "421 to MAIL": (asked(Result([Reply(421, "", "bye", "MAIL")] * 3), 0), None),
    "before MAIL was answered": (Result([None, None, None]), None),
    "at a dot for all": (asked(Result([None, None, None], lost=True), -1), None),
    "421 to a dot for all": (asked(Result([Reply(421, "", "bye", ".")] * 3), -1), None),
    "LMTP, behind the dot": (asked(Result([OK, None, None], lost=True), -1), 11),
    "LMTP, 421 for one": (asked(Result([OK, Reply(421, "", "bye", "."), None]), -1), 11),
}


@pytest.mark.parametrize("moment", HANG_UPS)
def test_at_whom_the_server_hung_up(moment: str) -> None:
    """Where its last word, or the missing one, was about one recipient, it is known who that is."""
    result, whom = HANG_UPS[moment]
    behind = Result([None])
    window = judge_plan([result, behind], Plan(10, 14, range(10, 14)))
    assert window.hung == whom


def test_at_the_only_one_who_was_named() -> None:
    """A server may keep its answers to itself until it dies: it was about whoever was named."""
    assert judge(None).hung == 10
    assert judge(Reply(421, "", "bye", "MAIL")).hung is None
    assert judge(OK).hung is None
