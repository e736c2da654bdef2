"""A post names what it answers, of its own list alone, whichever router has it."""

from __future__ import annotations

import asyncio

import msgspec

from postroad.runtime.broker import Broker
from schemas.envelope import Envelope
from schemas.road import PostRouted
from tests.broker.router_peers import (
    ANN,
    AUTHORS,
    NEWS,
    TEAM,
    a_letter,
    a_list,
    all_handled,
    membership,
    routed,
    routing,
)

EVE = msgspec.structs.replace(ANN, person="e4" * 12)


def letter(message_id: str, *before: str, to: str = TEAM, author: str = "ann") -> list[str]:
    """A mail to a list that follows others."""
    follows = [f"References: {' '.join(f'<{each}>' for each in before)}"] if before else []
    named = [f"Message-ID: <{message_id}>"] if message_id else []
    head = [f"From: {author}@example.org", f"To: {to}", f"Subject: {message_id or 'tea'}"]
    return [*head, *named, *follows, "", f"{message_id} {author}"]


def post(found: dict[str, Envelope], mail_id: str, slug: str = "team") -> PostRouted:
    """The post that a mail became."""
    (event,) = found[f"post.{slug}.{mail_id}"].events
    assert isinstance(event, PostRouted)
    return event


async def test_answers_find_what_they_answer(broker: Broker) -> None:
    """In order, by the id that members see where the author gave none, and by that of a copy; each
    list has conversations of its own."""
    for address in (TEAM, NEWS):
        await a_list(broker, address)
    async with membership(broker, AUTHORS), routing(broker):
        nameless = await a_letter(broker, *letter(""))
        elsewhere = await a_letter(broker, *letter("tea@example.org", to=NEWS))
        await routed(broker, 2)
        answer = await a_letter(
            broker, *letter("re@example.org", "tea@example.org", f"{nameless}@lists.example.org")
        )
        await routed(broker, 3)
        copy = f"{'a' * 29}.{answer}@lists.example.org"
        third = await a_letter(broker, *letter("re-re@example.org", copy))
        stolen = await a_letter(
            broker, *letter("x@example.org", copy.replace(answer, elsewhere), to=TEAM)
        )
        found = await routed(broker, 5)
    assert post(found, nameless).thread == nameless
    assert (post(found, answer).parent, post(found, answer).thread) == (nameless, nameless)
    assert (post(found, third).parent, post(found, third).thread) == (answer, nameless)
    assert (post(found, stolen).parent, post(found, stolen).thread) == ("", stolen)
    assert post(found, elsewhere, "news").thread == elsewhere


async def test_two_routers_and_all_at_once_make_one_conversation(broker: Broker) -> None:
    """Twenty posts of a conversation in the same moment, at two routers: one thread, and every
    answer told, by itself or by what it answers. Delivered again, nothing is decided anew."""
    await a_list(broker, TEAM)
    ids = [f"{n}@example.org" for n in range(20)]
    letters = [letter(ids[n], *ids[:n], author=f"p{n}") for n in range(20)]
    authors = {
        f"p{n}@example.org": msgspec.structs.replace(ANN, person=f"{n:02x}" * 12) for n in range(20)
    }
    async with membership(broker, authors), routing(broker), routing(broker):
        mails = await asyncio.gather(*(a_letter(broker, *each) for each in letters))
        found = await routed(broker, 20)
        await all_handled(broker)
    posts = {mail: post(found, mail) for mail in mails}
    assert len({each.thread for each in posts.values()}) == 1
    told = {(mail, each.parent) for mail, each in posts.items() if each.parent}
    told |= {(answer, mail) for mail, each in posts.items() for answer in each.answers}
    # one that came before its parent names the nearest that had come, and is named by the parent
    assert {(mails[n], mails[n - 1]) for n in range(1, 20)} <= told


async def test_a_message_id_used_twice_is_flagged(broker: Broker) -> None:
    """The second text is a post as well, and names the first; answers still lead to that one. What
    is held claims nothing."""
    await a_list(broker, TEAM)
    authors = {**AUTHORS, "eve@example.org": EVE}
    async with membership(broker, authors), routing(broker):
        held = await a_letter(broker, *letter("tea@example.org", author="stranger"))
        await routed(broker, 1)
        tea = await a_letter(broker, *letter("tea@example.org"))
        await routed(broker, 2)
        second = await a_letter(broker, *letter("tea@example.org", author="eve"))
        await routed(broker, 3)
        answer = await a_letter(broker, *letter("re@example.org", "tea@example.org"))
        found = await routed(broker, 4)
    assert f"held.team.{held}" in found
    assert (post(found, tea).namesake, post(found, tea).thread) == ("", tea)
    assert (post(found, second).namesake, post(found, second).thread) == (tea, second)
    (flag,) = post(found, second).hits
    assert (flag.rule, tea in flag.reason) == ("duplicate", True)
    assert post(found, answer).parent == tea


async def test_an_anonymous_conversation_leads_to_nobody(broker: Broker) -> None:
    """The author's own Message-ID finds the post, and is not told: copies name ids of ours."""
    await a_list(broker, TEAM, anonymous_list=True)
    async with membership(broker, AUTHORS), routing(broker):
        tea = await a_letter(broker, *letter("tea@anns-laptop"))
        await routed(broker, 1)
        again = await a_letter(broker, *letter("re@anns-laptop", "tea@anns-laptop"))
        await routed(broker, 2)
        other = await a_letter(broker, *letter("re@bobs", f"{again}@lists.example.org"))
        found = await routed(broker, 3)
    assert (post(found, again).parent, post(found, other).parent) == (tea, again)
    told = {edit.name: edit.value for edit in post(found, other).edits if edit.op == "set"}
    assert told["Message-ID"] == f"<{other}@lists.example.org>"
    assert told["In-Reply-To"] == f"<{again}@lists.example.org>"
    assert told["References"] == f"<{tea}@lists.example.org> <{again}@lists.example.org>"
    assert b"laptop" not in msgspec.json.encode(post(found, again).edits)
