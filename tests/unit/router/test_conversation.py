"""Which post another answers: told by Message-IDs, in whatever order posts come."""

from __future__ import annotations

from itertools import permutations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.threads import Named, Posted
from services.router import conversation
from services.router.conversation import Place
from tests.unit.router.mails import mail


class AList:
    """What a list knows, as posts come one by one. A post is called what its Message-ID is."""

    def __init__(self) -> None:
        self.known: dict[str, Named] = {}

    def post(self, mail_id: str, *named: str, own: str = "", text: str = "") -> Place:
        """A post that follows these Message-IDs, the nearest first."""
        post = Posted(mail=mail_id, text=text or f"text of {mail_id}")
        found, changes = conversation.place(post, (own or mail_id,), named, self.known)
        self.known |= changes
        again, more = conversation.place(post, (own or mail_id,), named, self.known)
        assert (again, more) == (found, {})  # delivered again, it changes nothing
        return found


def test_a_conversation_in_order() -> None:
    """Each names what it answers, and all of them the first."""
    here = AList()
    assert here.post("a") == Place("a")
    assert here.post("b", "a") == Place("a", "a")
    assert here.post("c", "b", "a") == Place("a", "b")
    assert here.post("d", "a") == Place("a", "a")
    assert here.post("x") == Place("x")


def test_what_the_list_never_saw_is_passed_over() -> None:
    """A private mail in between hides nothing; without any that is known, an answer begins a
    conversation, and its siblings join it."""
    here = AList()
    here.post("a")
    assert here.post("c", "private", "a") == Place("a", "a")
    assert here.post("e", "elsewhere") == Place("e")
    assert here.post("f", "elsewhere") == Place("e")
    assert here.post("g", "unheard", "elsewhere") == Place("e")


def test_an_answer_that_comes_first() -> None:
    """The post that it answers joins its conversation, and says who had answered."""
    here = AList()
    assert here.post("b", "a") == Place("b")
    assert here.post("c", "a") == Place("b")
    assert here.post("d", "b", "a") == Place("b", "b")
    assert here.post("a") == Place("b", "", ("b", "c"))
    assert here.post("e", "a") == Place("b", "a")


def test_a_message_id_belongs_to_the_first_that_has_it() -> None:
    """Who uses it again is told apart, gets no answers of others, and leads nobody astray."""
    here = AList()
    here.post("a")
    assert here.post("eve", "a", own="eve").thread == "a"
    assert here.post("thief", own="a") == Place("thief", namesake="a")
    assert here.post("late-thief", "eve", own="a") == Place("a", "eve", namesake="a")
    assert here.post("b", "a") == Place("a", "a")


def test_a_second_copy_is_told_by_its_text() -> None:
    """It has the Message-ID and the text of a post, be that the first with this id or a later one;
    it leaves no mark anywhere. What nobody took a digest of is no copy."""
    here = AList()
    tea, coffee, again = (f"019cb7a1c470700{digit}" for digit in "abc")
    here.post(tea, "unheard", own="a", text="tea")
    here.post(coffee, own="a", text="coffee")
    known = dict(here.known)
    assert here.post(again, "nowhere", own="a", text="tea") == Place(first=tea)
    assert here.post(again, own="a", text="coffee") == Place(first=coffee)
    assert here.known == known
    for mail_id in ("e", "f"):
        found, _ = conversation.place(Posted(mail=mail_id, text=""), ("a",), (), known)
        assert found == Place(mail_id, namesake=tea)


def test_the_same_a_month_later_is_another_post() -> None:
    """A reminder that a program sends each month, word for word, is meant each time."""
    here = AList()
    january = "019cb7a1c470" + "0" * 20
    late = f"{int(january[:12], 16) + conversation.COPIES:012x}" + "0" * 20
    here.post(january, own="a", text="dues")
    assert here.post(late, own="a", text="dues") == Place(late, namesake=january)


def test_one_id_for_any_number_of_texts() -> None:
    """What is kept of a Message-ID is bounded: its first post, and the latest."""
    here = AList()
    for number in range(3 * conversation.TEXTS):
        here.post(f"m{number}", own="a")
    kept = [each.mail for each in here.known["a"].posts]
    assert len(kept) == conversation.TEXTS
    assert (kept[0], kept[-1]) == ("m0", f"m{3 * conversation.TEXTS - 1}")


def test_a_post_that_names_itself_answers_nobody() -> None:
    """Its own Message-ID in its References means nothing."""
    facts = mail(
        "Message-ID: <a>", "In-Reply-To: <a>", "References: <a> <0>", "Subject: Re: a"
    ).facts
    assert conversation.before(facts) == ("0",)
    assert AList().post("a", "a", own="a") == Place("a")


def test_the_nearest_is_asked_first() -> None:
    """In-Reply-To, then References from their end; of many, the nearest twenty and the first."""
    facts = mail("In-Reply-To: your mail <b>", "References: <r>\r\n\t<a> <b>").facts
    assert conversation.before(facts) == ("b", "a", "r")
    many = mail("References: " + " ".join(f"<{n}>" for n in range(60))).facts
    assert conversation.before(many) == (*map(str, range(59, 39, -1)), "0")
    assert conversation.before(mail().facts) == ()


def test_copies_with_ids_of_their_own_are_known() -> None:
    """Where a relay keeps no Message-ID, that of a copy tells the post."""
    trace = "0f" * 16
    assert conversation.copy_of(f"{'a' * 29}.{trace}@lists.example.org") == trace
    assert conversation.copy_of(f"{trace}@lists.example.org") == ""


CHAIN = [("a",), ("b", "a"), ("c", "b", "a"), ("d", "b", "a")]


def test_whatever_the_order_a_conversation_is_one() -> None:
    """However four posts of one conversation come, they have one thread, the first that came."""
    for order in permutations(CHAIN):
        here = AList()
        places = [here.post(*post) for post in order]
        assert {place.thread for place in places} == {order[0][0]}, order
        # whoever answers whom is told by the one or by the other
        told = {(post[0], p.parent) for post, p in zip(order, places, strict=True) if p.parent}
        told |= {
            (answer, post[0])
            for post, place in zip(order, places, strict=True)
            for answer in place.answers
        }
        assert {("b", "a"), ("c", "b"), ("d", "b")} <= told, order


IDS = st.sampled_from("abcdef")


@given(st.lists(st.tuples(IDS, st.lists(IDS, max_size=4)), max_size=12))
def test_any_claims_at_all(posts: list[tuple[str, list[str]]]) -> None:
    """Whatever posts say of each other: each place names posts that came before, never itself as
    parent, and what a Message-ID means never changes once a post has it."""
    here = AList()
    had: list[str] = []
    meant: dict[str, str] = {}
    for number, (own, named) in enumerate(posts):
        mail_id = f"m{number}"
        found = here.post(mail_id, *dict.fromkeys(each for each in named if each != own), own=own)
        assert found.parent in ("", *had)
        assert found.thread in (mail_id, *had)
        assert found.namesake == meant.get(own, "")
        assert set(found.answers) <= set(had)
        had.append(mail_id)
        meant.setdefault(own, mail_id)
        has = {each: named.posts[0].mail for each, named in here.known.items() if named.posts}
        assert has == meant


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (("List-Id: <crew.far.example>", "B"), ("", "A"), True),
        (("X-BeenThere: crew@far.example\r\nFrom: crew@far.example", "A"), ("", "A"), True),
        (("List-Id: <crew.far.example>\r\nFrom: crew@far.example", "B"), ("", "A"), False),
        (
            ("List-Id: <c.far.example>\r\nFrom: c@far.example\r\nReply-To: ann@example.org", "B"),
            ("List-Id: <d.far.example>\r\nFrom: d@far.example\r\nReply-To: ann@example.org", "C"),
            True,
        ),
        (("", "B"), ("", "A"), False),
        (("From: eve@far.example", "A"), ("", "A"), False),
    ],
)
def test_what_a_list_changes_on_the_way(
    one: tuple[str, str], other: tuple[str, str], same: bool
) -> None:
    """Of one Message-ID, a copy that came through a list is the post that has its body or its
    author; one that met no list is what it says, whoever used the id before."""
    mails = [mail(*head.splitlines(), body_sha256=body) for head, body in (one, other)]
    assert conversation.changed_on_the_way(*mails) is same
    assert conversation.changed_on_the_way(*reversed(mails)) is same
    later = f"{int(mails[0].mail_id[:12], 16) + conversation.CHANGED:012x}{mails[0].mail_id[12:]}"
    mails[1] = msgspec.structs.replace(mails[1], mail_id=later)
    assert not conversation.changed_on_the_way(*mails)
