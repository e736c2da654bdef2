"""The checker: what counts as lost, doubled, unexpected and altered."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.peers.checker import Post, check
from tests.peers.records import Record

ANN, BOB = "ann@x", "bob@x"


def record(
    message_id: str, *recipients: str, list_id: str = "team.x", body_sha256: str = "b"
) -> Record:
    return Record(
        time=0.0,
        connection=1,
        helo="",
        sender="",
        parameters="",
        recipients=recipients,
        size=0,
        sha256="",
        body_sha256=body_sha256,
        message_id=message_id,
        list_id=list_id,
        trace="",
        headers="",
    )


def test_every_copy_once_is_exact() -> None:
    """Shared and personal transactions are the same to the checker; case does not matter."""
    posts = [Post("<1>", frozenset({ANN, BOB})), Post("<2>", frozenset({ANN, BOB}))]
    report = check([record("<1>", ANN, "BOB@x"), record("<2>", ANN), record("<2>", BOB)], posts)
    assert report.exact
    assert (report.expected, report.delivered) == (4, 4)


def test_a_missing_copy_is_lost() -> None:
    """Lost copies are named by post and recipient."""
    report = check([record("<1>", ANN)], [Post("<1>", frozenset({ANN, BOB}))])
    assert report.lost == (("<1>", "", BOB),)
    assert not report.exact


def test_a_second_copy_is_too_many() -> None:
    """Extra copies are counted, not the recipients that got them."""
    report = check([record("<1>", ANN, ANN), record("<1>", ANN)], [Post("<1>", frozenset({ANN}))])
    assert report.duplicates == {("<1>", "", ANN): 2}
    assert report.extra == 2


def test_a_copy_nobody_asked_for_is_unexpected() -> None:
    """A stranger's copy and a copy of an unknown post are both reported."""
    report = check([record("<1>", ANN, BOB), record("<2>", ANN)], [Post("<1>", frozenset({ANN}))])
    assert report.unexpected == {("<1>", "", BOB): 1, ("<2>", "", ANN): 1}
    assert not report.lost


def test_one_mail_to_two_lists_is_two_posts() -> None:
    """With List-Ids, the copies of one list do not stand for those of the other."""
    posts = [Post("<1>", frozenset({ANN}), "team.x"), Post("<1>", frozenset({ANN}), "dev.x")]
    both = [record("<1>", ANN), record("<1>", ANN, list_id="dev.x")]
    assert check(both, posts).exact
    assert check(both[:1] * 2, posts).lost == (("<1>", "dev.x", ANN),)


def test_a_changed_body_is_altered() -> None:
    """A copy is altered when the post names a body digest and the record has another."""
    post = Post("<1>", frozenset({ANN}), body_sha256="a")
    assert check([record("<1>", ANN)], [post]).altered == (("<1>", "", ANN),)
    assert check([record("<1>", ANN, body_sha256="a")], [post]).exact


@given(st.lists(st.tuples(st.sampled_from("123"), st.sampled_from("abcd"))))
def test_delivered_and_lost_are_all_that_was_expected(copies: list[tuple[str, str]]) -> None:
    """Whatever came: delivered + lost = expected, and every copy is accounted for."""
    posts = [Post(number, frozenset("abc")) for number in "12"]
    report = check([record(number, name) for number, name in copies], posts)
    assert report.delivered + len(report.lost) == report.expected == 6
    assert report.delivered + report.extra + sum(report.unexpected.values()) == len(copies)
