"""In what then and now differ."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from postroad.cli.hindsight.decided import Decided, of_event
from postroad.cli.hindsight.differing import COPIES, Judged, Side, compare, fields, mendable, text
from postroad.cli.hindsight.tally import Tally
from postroad.mail.edits import edit
from schemas.road import PostRouted
from tests.unit.hindsight.test_decided import ACCEPTED, DONE, POST, stopped, told

NAMES = st.sampled_from(("Subject", "List-Id", "Reply-To", "reply-to", "From"))
EDITS = st.lists(
    st.builds(edit, st.sampled_from(("set", "add", "remove")), NAMES, st.sampled_from("abc")),
    max_size=6,
).map(tuple)
POSTS = st.builds(
    lambda edits, personal, rule: replace(POST, edits=edits, personal=personal, rule=rule),
    EDITS,
    st.booleans(),
    st.sampled_from(("truth", "moderator")),
)
SIDES = st.one_of(
    POSTS.map(lambda post: of_event("post", post)),
    st.sampled_from(
        [of_event("held", stopped()), of_event("rejected", stopped("rejected", "spam"))]
    ),
    st.just(Decided()),
)
PEOPLE = st.lists(st.sampled_from(("a@x.example", "b@x.example")), unique=True)


@given(SIDES, PEOPLE)
def test_what_is_the_same_differs_in_nothing(side: Decided, also: list[str]) -> None:
    """No mail is told as different that is not."""
    assert compare(side, side, also_then=also, also_now=also) == ((), (), "", (), ())


@given(SIDES, SIDES, PEOPLE, PEOPLE)
def test_back_and_forth_is_told_alike(
    one: Decided, other: Decided, before: list[str], after: list[str]
) -> None:
    """What differs from then to now differs from now to then, the other way round."""
    there = compare(one, other, also_then=before, also_now=after)
    back = compare(other, one, also_then=after, also_now=before)
    assert there[0] == back[0]
    assert {(f.name.lower(), f.then, f.now) for f in there[1]} == {
        (f.name.lower(), f.now, f.then) for f in back[1]
    }
    assert (there[3], there[4]) == (back[4], back[3])


def test_edits_are_compared_field_by_field() -> None:
    """A field that is edited otherwise is named with how, one that is not is not."""
    then = replace(POST, edits=(edit("prefix", "Subject", "[Old]"), edit("set", "List-Id", "x")))
    now = replace(POST, edits=(edit("set", "List-Id", "x"), edit("set", "From", "list")))
    found = [(each.name, each.then, each.now) for each in fields(then, now)]
    assert found == [("From", "", "set list"), ("Subject", "prefix [Old]", "")]
    assert text(then, now) == ""
    shared = replace(POST, personal=False)
    assert [each.name for each in fields(POST, shared)] == [COPIES]
    other = replace(POST, raw=replace(POST.raw, sha256="1" * 64))
    assert text(POST, other) == "another body is left by the filter, or made"


def test_only_what_rules_stopped_can_be_let_through() -> None:
    """What is out stays out, and what a person said, or a password, is not overruled."""
    post = of_event("post", POST)
    secret = replace(stopped(), password=True)
    assert mendable(told(stopped()), post) == (True, "")
    assert mendable(told(stopped("discarded", "expired", 1)), post) == (True, "")
    assert mendable(Decided(), post) == (True, "")
    assert mendable(told(POST, DONE), post) == (False, "")
    assert not mendable(told(stopped(), stopped("rejected", "moderator", 1)), post)[0]
    assert not mendable(told(stopped(), ACCEPTED, stopped("discarded", "duplicate")), post)[0]
    assert not mendable(told(secret), post)[0]
    assert mendable(told(POST, DONE), told(stopped())) == (
        False,
        "its copies are out: they cannot be taken back",
    )


@given(st.lists(st.tuples(SIDES, SIDES)))
def test_every_mail_is_counted_once(pairs: list[tuple[Decided, Decided]]) -> None:
    """The same and the different are all there are, and each change is of some of them."""
    tally = Tally()
    for then, now in pairs:
        kinds, changed, words, *_ = compare(then, now)
        tally.take(
            Judged(
                mail="m",
                list="team@x.example",
                then=Side(outcome=then.kind, rule=then.rule),
                now=Side(outcome=now.kind, rule=now.rule),
                differs=kinds,
                fields=changed,
                text=words,
            )
        )
    assert tally.same + tally.differ == tally.mails == len(pairs)
    assert sum(each.mails for each in tally.changes()) <= tally.differ


def test_a_post_names_its_kind_of_copy() -> None:
    """A decision that is stored nowhere reads as one that is."""
    assert of_event("post", PostRouted(mail_id="m", list="t", raw=POST.raw)).kind == "post"
