"""What ingest does with each mail of a folder, decided without a server."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.mail import HeaderFacts, RawRef
from schemas.road import MailReceived, MailRefused, Origin
from services.ingest.decider import (
    FETCH_TRIES,
    FIRST_MAILS,
    LARGE,
    RANGE_MAILS,
    RANGE_OCTETS,
    WINDOW,
    Checkpoint,
    Known,
    Selected,
    Verdict,
    advance,
    contact,
    holds,
    judge,
    lasting,
    missing,
    pause,
    resolve,
    steps,
)
from services.ingest.syntax import Row

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
LAST_WEEK = NOW - timedelta(days=7)
LONG_AGO = NOW - timedelta(days=26)
INBOX = Selected(folder="INBOX", uidvalidity=7)
THERE = range(1, 101)


def place(**changes: Any) -> Checkpoint:
    settings: dict[str, Any] = {"folder": "INBOX", "uidvalidity": 7, "since": LAST_WEEK}
    return Checkpoint(**(settings | changes))


def row(uid: int = 50, size: int = 4000, **changes: Any) -> Row:
    return Row(uid=uid, size=size, **({"arrived": NOW} | changes))


def verdict(
    checkpoint: Checkpoint, mail: Row, known: Known | None = None, failures: int = 0
) -> Any:
    known = known or Known("INBOX", 7)
    return judge(checkpoint, mail, known, largest=10_000, now=NOW, failures=failures)


def received(
    uid: int, uidvalidity: int, digest: str = "d", size: int = 4000, arrived: datetime = NOW
) -> MailReceived:
    origin = Origin(source="s", folder="INBOX", uidvalidity=uidvalidity, uid=uid, arrived=arrived)
    return MailReceived(
        mail_id="m",
        origin=origin,
        raw=RawRef(mail_id="m", chunks=1, size=size, sha256=digest, head=0),
        facts=HeaderFacts(),
    )


# --- where to begin -----------------------------------------------------------------------------


def test_now_passes_over_everything_there_is() -> None:
    """With start = "now" the checkpoint stands at the last mail of the moment."""
    assert contact(None, INBOX, THERE, "now", NOW).uid == 100


def test_all_passes_over_nothing() -> None:
    """With start = "all" the first UID is the first to be taken."""
    assert contact(None, INBOX, THERE, "all", NOW).uid == 0


def test_unseen_passes_over_what_was_read_then_and_nothing_later() -> None:
    """With start = "unseen" being read counts only for mail that was there at first contact."""
    checkpoint = contact(None, INBOX, THERE, "unseen", NOW)
    assert verdict(checkpoint, row(100, seen=True)).action == "skip"
    assert verdict(checkpoint, row(100)).action == "take"
    assert verdict(checkpoint, row(101, seen=True)).action == "take"


def test_late_mail_counts_as_new_by_its_arrival() -> None:
    """Under a UID that was out of sight at first contact, mail that arrived later is taken, and
    with start = "now" what arrived before is passed over like the rest."""
    checkpoint = contact(None, INBOX, [1, 2, 4], "now", LAST_WEEK)
    assert missing(checkpoint) == {3}
    assert verdict(checkpoint, row(3, arrived=NOW)).action == "take"
    before = LAST_WEEK - timedelta(minutes=1)
    assert verdict(checkpoint, row(3, arrived=before)).action == "skip"
    assert verdict(checkpoint, row(5, arrived=before)).action == "take"


def test_a_checkpoint_holds_for_its_folder_and_uidvalidity() -> None:
    """Only there it says where to go on, and a later change of `start` changes nothing."""
    assert holds(place(uid=42), INBOX)
    assert not holds(place(uid=42, folder="Lists"), INBOX)
    assert not holds(place(uid=42, uidvalidity=6), INBOX)


def test_another_folder_is_a_first_contact() -> None:
    """A checkpoint of another folder says nothing about this one."""
    assert contact(place(folder="Lists", uid=42), INBOX, THERE, "now", NOW).uid == 100


def test_a_new_uidvalidity_starts_over_and_remembers_the_first_contact() -> None:
    """UIDs of an earlier UIDVALIDITY mean nothing; the first contact still does."""
    last = place(uidvalidity=6, uid=42, missing=((40, 41),), start="now")
    found = contact(last, INBOX, THERE, "all", NOW)
    assert found == place(start="now", unseen_below=101, rescan_below=101)


# --- what to do ---------------------------------------------------------------------------------


def test_new_mail_is_taken() -> None:
    """A mail above the checkpoint is fetched and published, read by somebody or not."""
    assert verdict(place(uid=42), row()).action == "take"
    assert verdict(place(uid=42), row(seen=True)).action == "take"


def test_mail_too_large_is_refused_by_its_size() -> None:
    """The size the server lists decides; no byte is fetched."""
    refused = verdict(place(), row(size=10_001))
    assert (refused.action, refused.reason, refused.fetched) == ("refuse", "too_large", False)
    assert verdict(place(), row(size=10_000)).action == "take"


def test_mail_marked_for_deletion_is_left_alone() -> None:
    """What somebody deleted before we took it is not posted."""
    assert verdict(place(), row(deleted=True)).action == "skip"


def test_published_mail_is_only_finished() -> None:
    """A mail that RECEIVED has under this UID was published before a crash: flag it, also where
    the crash came after it was marked for deletion."""
    known = Known("INBOX", 7)
    known.learn([received(50, 7)])
    assert verdict(place(), row(), known).action == "finish"
    assert verdict(place(), row(deleted=True), known).action == "finish"


def test_refused_mail_stays_as_it_is() -> None:
    """A refusal is told once, and never flagged."""
    known = Known("INBOX", 7)
    origin = Origin(source="s", folder="INBOX", uidvalidity=7, uid=50)
    known.learn([MailRefused(mail_id="m", origin=origin, size=1, reason="too_large")])
    assert verdict(place(), row(size=10_001), known).action == "skip"


def test_mail_that_cannot_be_fetched_is_refused_in_the_end() -> None:
    """A mail that breaks the connection every time does not stop the source for ever."""
    assert verdict(place(), row(), failures=FETCH_TRIES - 1).action == "take"
    assert verdict(place(), row(), failures=FETCH_TRIES).reason == "unreadable"


# --- after a change of UIDVALIDITY ----------------------------------------------------------------


def test_a_rescan_refuses_what_is_older_than_received_remembers() -> None:
    """Older than 25 days: RECEIVED may have forgotten it, so it is recorded and not posted."""
    rescan = place(start="all", rescan_below=101)
    refused = verdict(rescan, row(arrived=LONG_AGO))
    assert (refused.action, refused.reason) == ("refuse", "stale")
    assert verdict(rescan, row(101, arrived=LONG_AGO)).action == "take"
    assert verdict(place(), row(arrived=LONG_AGO)).action == "take"
    sooner: Any = {"largest": 10_000, "now": NOW, "stale_after": timedelta(days=5)}
    lately = row(arrived=NOW - timedelta(days=6))
    assert judge(rescan, lately, Known("INBOX", 7), **sooner).reason == "stale"  # [retention] says


def test_a_rescan_compares_only_where_the_size_is_known() -> None:
    """Bytes are fetched for comparison only where RECEIVED has a mail of that size."""
    known = Known("INBOX", 7)
    known.learn([received(3, 6, size=4000)])
    rescan = place(rescan_below=101)
    assert verdict(rescan, row(size=4000), known).action == "compare"
    assert verdict(rescan, row(size=4001), known).action == "take"
    assert verdict(rescan, row(size=4000, arrived=LONG_AGO), known).action == "skip"
    rescan = place(start="all", rescan_below=101)
    old = verdict(rescan, row(size=4000, arrived=LONG_AGO), known)
    assert (old.action, old.reason) == ("compare", "stale")


@pytest.mark.parametrize(
    ("start", "seen", "action"),
    [
        ("now", False, "skip"),
        ("now", True, "skip"),
        ("unseen", True, "skip"),
        ("unseen", False, "take"),
        ("all", True, "take"),
    ],
)
def test_a_rescan_does_not_revive_what_first_contact_passed_over(
    start: Any, seen: bool, action: str
) -> None:
    """Mail from before the first contact stays where `start` left it, whatever its UID now is."""
    rescan = place(start=start, rescan_below=101)
    before = LAST_WEEK - timedelta(hours=1)
    assert verdict(rescan, row(arrived=before, seen=seen)).action == action


def test_a_rescan_spots_what_first_contact_took() -> None:
    """With start = "unseen" a mail taken at first contact is read by now, as the ones passed
    over were; where RECEIVED has one of its size and arrival, its bytes tell."""
    known = Known("INBOX", 7)
    before = LAST_WEEK - timedelta(hours=1)
    known.learn([received(3, 6, arrived=before)])
    rescan = place(start="unseen", rescan_below=101)
    assert verdict(rescan, row(arrived=before, seen=True), known).action == "spot"
    later = before + timedelta(seconds=1)
    assert verdict(rescan, row(arrived=later, seen=True), known).action == "skip"


def test_each_message_in_received_accounts_for_one_mail() -> None:
    """Of two equal mails of which one was received, one is left to take."""
    known = Known("INBOX", 7)
    known.learn([received(3, 6, "abc")])
    assert known.claim("abc", NOW)
    assert not known.claim("abc", NOW)
    assert not known.claim("other", NOW)


def test_among_equal_mails_the_arrival_tells() -> None:
    """The mail that was received is the one that arrived then; where no date fits, any is."""
    known = Known("INBOX", 7)
    known.learn([received(3, 6, "abc", arrived=LAST_WEEK), received(4, 6, "abc", arrived=NOW)])
    assert known.claim("abc", LAST_WEEK, exactly=True)
    assert not known.claim("abc", LAST_WEEK, exactly=True)
    assert known.claim("abc", LAST_WEEK)


def test_another_folder_accounts_for_nothing_here() -> None:
    """The same mail in two folders of a source is two mails."""
    known = Known("Lists", 7)
    known.learn([received(3, 6, "abc")])
    assert not known.claim("abc", NOW)


def test_a_rescan_begins_again_after_a_crash() -> None:
    """Which of two equal mails is accounted for is told by counting from the beginning, so the
    checkpoint waits for the end of the rescan."""
    rescan = place(rescan_below=101)
    assert lasting(advance(rescan, range(1, 100))) is None
    assert lasting(advance(rescan, range(1, 101))) == place(uid=100)


def test_the_checkpoint_never_goes_back() -> None:
    """A UID that was passed is passed."""
    assert advance(place(uid=42), []) == place(uid=42)
    assert advance(place(uid=42), [41]) == place(uid=42)
    assert advance(place(uid=42), [43]) == place(uid=43)


def test_uids_without_mail_are_remembered_for_a_while() -> None:
    """A UID that was passed without a mail under it is missing until one turns up, or the
    checkpoint is WINDOW further."""
    passed = advance(place(uid=42), [44, 48])
    assert (passed.uid, passed.missing) == (48, ((43, 43), (45, 47)))
    assert missing(advance(passed, [46])) == {43, 45, 47}
    assert missing(advance(passed, [45 + WINDOW])) == set(range(46, 45 + WINDOW)) - {48}


@given(st.permutations(range(1, 30)), st.lists(st.integers(1, 8), max_size=30))
def test_mail_may_become_visible_in_any_order(order: list[int], looks: list[int]) -> None:
    """In whatever order and however many at a time mails come into sight, each is looked at
    once."""
    checkpoint, looked, visible = place(), list[int](), 0
    for number in [*looks, len(order)]:
        visible = min(visible + number, len(order))
        absent = missing(checkpoint)
        there = sorted(order[:visible])
        found = [uid for uid in there if uid > checkpoint.uid or uid in absent]
        half = len(found) // 2
        checkpoint = advance(advance(checkpoint, found[:half]), found[half:])
        looked += found
    assert sorted(looked) == sorted(order)


# --- once the bytes are there ---------------------------------------------------------------------


def test_mail_that_is_gone_is_passed_over() -> None:
    """A mail somebody expunged between listing and fetching leaves nothing to do."""
    known = Known("INBOX", 7)
    gone = resolve(Verdict(row=row(), action="take"), None, known, largest=10)
    assert gone.action == "skip"


def test_a_server_that_lists_wrong_sizes_is_not_believed() -> None:
    """A mail that turns out larger than allowed is refused all the same."""
    known = Known("INBOX", 7)
    found = resolve(Verdict(row=row(size=5), action="take"), b"x" * 11, known, largest=10)
    assert (found.action, found.reason) == ("refuse", "too_large")


@pytest.mark.parametrize(
    ("action", "reason", "unknown"),
    [("compare", None, "take"), ("compare", "stale", "refuse"), ("spot", None, "skip")],
)
def test_bytes_tell_what_was_received(action: Any, reason: Any, unknown: str) -> None:
    """A mail whose bytes RECEIVED knows is flagged; the next of the same bytes is not known."""
    known = Known("INBOX", 7)
    known.learn([received(3, 6, hashlib.sha256(b"text").hexdigest())])
    met = Verdict(row=row(), action=action, reason=reason)
    assert resolve(met, b"text", known, largest=10).action == "finish"
    assert resolve(met, b"text", known, largest=10).action == unknown


# --- how much at once -----------------------------------------------------------------------------

verdicts = st.lists(
    st.tuples(
        st.sampled_from(["take", "compare", "spot", "finish", "refuse", "skip"]),
        st.integers(0, LARGE + 100_000),
    ),
    max_size=200,
).map(
    lambda pairs: [
        Verdict(row=Row(uid=uid, size=size), action=action)  # type: ignore[arg-type]
        for uid, (action, size) in enumerate(pairs, 1)
    ]
)


@given(verdicts, st.sampled_from((FIRST_MAILS, RANGE_MAILS)))
def test_steps_keep_order_and_bounds(given_verdicts: list[Verdict], most: int) -> None:
    """Every verdict is in one step, in order; what a step fetches is bounded, the first most of
    all, and a large mail is the only one."""
    found = list(steps(given_verdicts, most))
    assert sum(verdict.fetched for verdict in found[0]) <= most if found else not given_verdicts
    assert [verdict for step in found for verdict in step] == given_verdicts
    for step in found:
        sizes = [verdict.row.size for verdict in step if verdict.fetched]
        assert len(sizes) <= RANGE_MAILS
        assert sum(sizes) <= RANGE_OCTETS
        assert len(sizes) == 1 or all(size <= LARGE for size in sizes)


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_waiting_is_bounded(attempt: int, jitter: float) -> None:
    """The first retry comes within a quarter of a second, none later than a minute, and what a
    person must mend is not hammered."""
    assert 0.125 <= pause(attempt, jitter) <= (0.25 if attempt == 1 else 60)
    assert pause(attempt, jitter, lasting=True) >= 30
