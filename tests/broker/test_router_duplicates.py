"""A mail that comes by two ways is posted once to each list, and the second copy says so."""

from __future__ import annotations

import asyncio
from collections import Counter

import msgspec
import pytest

from postroad.runtime.broker import Broker
from schemas import subjects
from schemas.road import MailStopped
from schemas.threads import Named
from tests.broker.router_peers import (
    ANN,
    AUTHORS,
    NEWS,
    TEAM,
    a_letter,
    a_list,
    all_handled,
    decisions,
    membership,
    routed,
    routing,
)

TEAM_ITSELF, EVE = (msgspec.structs.replace(ANN, person=each * 12) for each in ("b2", "e4"))


def letter(*to: str, body: str = "Anyone?", message_id: str = "<tea@example.org>") -> list[str]:
    """Ann's mail to these addresses."""
    ids = [f"Message-ID: {message_id}"] if message_id else []
    return [*ids, "From: ann@example.org", f"To: {', '.join(to)}", "Subject: Tea", "", body]


def delivered(to: str, mail: list[str]) -> list[str]:
    """The copy of a mail that was delivered for `to`."""
    return [f"Delivered-To: {to}", "Received: by mx.example.org", *mail]


async def test_copies_for_two_aliases_are_posted_once_each(broker: Broker) -> None:
    """A cross-post to two lists, of which the mailbox holds two copies that each name both."""
    for address in (TEAM, NEWS):
        await a_list(broker, address)
    mail = letter(TEAM, NEWS)
    async with membership(broker, AUTHORS), routing(broker, one_copy=True):
        first = await a_letter(broker, *delivered(TEAM, mail))
        await routed(broker, 2)
        second = await a_letter(broker, *delivered(NEWS, mail))
        found = await routed(broker, 4)
    assert set(found) == {
        *(f"post.{slug}.{first}" for slug in ("team", "news")),
        *(f"discarded.{slug}.{second}" for slug in ("team", "news")),
    }
    (stopped,) = found[f"discarded.team.{second}"].events
    assert isinstance(stopped, MailStopped)
    assert [hit.rule for hit in stopped.hits] == ["duplicate"]
    assert first in stopped.hits[0].reason


async def test_copies_at_the_same_moment_are_posted_once(broker: Broker) -> None:
    """Whichever of two routers is first: one post, and all others are recorded."""
    await a_list(broker, TEAM)
    for message_id in ("<tea@example.org>", ""):
        mail = letter(TEAM, message_id=message_id)
        async with membership(broker, AUTHORS), routing(broker), routing(broker):
            before = await decisions(broker)
            await asyncio.gather(*(a_letter(broker, *mail) for _ in range(20)))
            await all_handled(broker)
            found = await routed(broker, before + 20)
    assert len([subject for subject in found if subject.startswith("post.")]) == 2
    assert len([subject for subject in found if subject.startswith("discarded.")]) == 38


@pytest.mark.parametrize("to", ["team-owner@lists.example.org", "postmaster@lists.example.org"])
async def test_owners_get_one_letter_of_a_mail(broker: Broker, to: str) -> None:
    """A mail to the owners of a list, or of its domain, that two sources read goes to them once,
    whichever of two routers is first; another mail of the same author goes too."""
    await a_list(broker, TEAM)
    mail = letter(to)
    office = routing(broker, owner="olga@owners.example")
    async with membership(broker, AUTHORS), office, routing(broker, owner="olga@owners.example"):
        await asyncio.gather(*(a_letter(broker, *mail) for _ in range(5)))
        await a_letter(broker, *letter(to, message_id="<cake@example.org>"))
        found = await routed(broker, 6)
    kinds = Counter(subject.partition(".")[0] for subject in found)
    assert kinds == {"owner": 2, "discarded": 4}
    (stopped,) = next(e.events for name, e in found.items() if name.startswith("discarded"))
    assert isinstance(stopped, MailStopped)
    assert stopped.hits[0].rule == "duplicate"
    assert "its owners have had this mail already" in stopped.hits[0].reason


async def test_one_lists_copy_is_not_posted_to_the_other(broker: Broker) -> None:
    """Our own copy of a cross-post, met in the mailbox, went through one list but names both;
    munged and re-encoded as a relay may have left it, it is told by its trace. A trace of a mail
    that the list never had says nothing."""
    for address in (TEAM, NEWS):
        await a_list(broker, address)
    async with membership(broker, AUTHORS), routing(broker):
        first = await a_letter(broker, *letter(TEAM, NEWS))
        await routed(broker, 2)
        marks = ("List-Id: <team.lists.example.org>", f"X-Postroad-Trace: {first}")
        own = await a_letter(broker, *marks, *letter(TEAM, NEWS, body="changed"))
        found = await routed(broker, 4)
        assert {f"discarded.{slug}.{own}" for slug in ("team", "news")} < set(found)
        ours = [line.replace("ann@", "team@lists.") for line in letter(TEAM, NEWS)]
        munged = await a_letter(broker, *marks, *ours)  # not From a member: else it were held
        assert f"discarded.news.{munged}" in await routed(broker, 6)
        odd = (f"X-Postroad-Trace: {'f' * 32}",)
        other = await a_letter(broker, *odd, *letter(NEWS, body="new"))
        assert f"post.news.{other}" in await routed(broker, 7)
    (stopped,) = found[f"discarded.news.{own}"].events
    assert isinstance(stopped, MailStopped)
    assert first in stopped.hits[0].reason


async def test_one_lists_copy_is_not_held_at_the_other(broker: Broker) -> None:
    """The same where each list got a mail of its own: the copy that one of them sent to the
    mailbox itself names the other, which never had that mail. A list that is a member of the
    other gets it all the same."""
    for address in (TEAM, NEWS):
        await a_list(broker, address)
    async with membership(broker, AUTHORS), routing(broker):
        first = await a_letter(broker, *delivered(TEAM, letter(TEAM, NEWS)))
        await a_letter(broker, *delivered(NEWS, letter(TEAM, NEWS)))
        await routed(broker, 2)
        marks = ["List-Id: <team.lists.example.org>", f"X-Postroad-Trace: {first}"]
        ours = [line.replace("ann@", "team@lists.") for line in letter(TEAM, NEWS)]
        own = await a_letter(broker, *delivered("box@lists.example.org", marks + ours))
        found = await routed(broker, 4)
        assert {f"discarded.{slug}.{own}" for slug in ("team", "news")} < set(found)
        members = letter(TEAM, message_id="<members@example.org>")
        third = await a_letter(broker, *delivered(TEAM, members))
        marks[1] = f"X-Postroad-Trace: {third}"
        passed_on = await a_letter(broker, *delivered(NEWS, marks + members))
        assert f"post.news.{passed_on}" in await routed(broker, 6)


async def test_a_list_in_a_list_gets_a_cross_post_once(broker: Broker) -> None:
    """News is a member of team; a mail to both comes to news from its author and, munged, from
    team: in either order, and both at once, it is one post."""
    for address in (TEAM, NEWS):
        await a_list(broker, address)
    authors = {**AUTHORS, TEAM: TEAM_ITSELF}
    async with membership(broker, authors), routing(broker), routing(broker):
        for number, order in enumerate(("direct first", "nested first", "both at once")):
            mail = letter(TEAM, NEWS, message_id=f"<{number}@example.org>")
            before = await decisions(broker)
            first = await a_letter(broker, *delivered(TEAM, mail))
            await routed(broker, before + 1)
            munged = [line.replace("ann@example.org", TEAM, 1) for line in mail]
            munged[0] = mail[0]
            marks = ("List-Id: <team.lists.example.org>", f"X-Postroad-Trace: {first}")
            ways = [delivered(NEWS, mail), delivered(NEWS, [*marks, *munged])]
            if order == "nested first":
                ways.reverse()
            for count, way in enumerate(ways, 2):
                await a_letter(broker, *way)
                if order != "both at once":
                    await routed(broker, before + count)
            found = await routed(broker, before + 3)
            kinds = [subject.split(".")[:2] for subject in list(found)[before:]]
            assert sorted(kinds) == [["discarded", "news"], ["post", "news"], ["post", "team"]], (
                order
            )


async def test_a_false_trace_claims_no_post(broker: Broker) -> None:
    """Who knows the trace of a post to one list, and sends another text under it to a second, does
    not keep the post itself from there."""
    for address in (TEAM, NEWS):
        await a_list(broker, address)
    async with membership(broker, {**AUTHORS, "eve@example.org": EVE}), routing(broker):
        mail = letter(TEAM, NEWS)
        first = await a_letter(broker, *delivered(TEAM, mail))
        await routed(broker, 1)
        eve = [line.replace("ann@", "eve@") for line in letter(TEAM, NEWS, body="Buy!")]
        await a_letter(broker, *delivered(NEWS, [f"X-Postroad-Trace: {first}", *eve]))
        await routed(broker, 2)
        real = await a_letter(broker, *delivered(NEWS, mail))
        assert f"post.news.{real}" in await routed(broker, 3)


async def test_the_same_id_with_another_body_is_another_post(broker: Broker) -> None:
    """Programs use ids twice, and attackers claim those of others: neither costs a post."""
    await a_list(broker, TEAM)
    async with membership(broker, AUTHORS), routing(broker):
        mails = [await a_letter(broker, *letter(TEAM, body=body)) for body in ("one", "two")]
        assert set(await routed(broker, 2)) == {f"post.team.{mail}" for mail in mails}


async def test_a_held_mail_sent_again_is_no_duplicate(broker: Broker) -> None:
    """Only what was posted was had by the list: a mail that was held may come again as a post."""
    await a_list(broker, TEAM)
    async with membership(broker, {}), routing(broker):
        first = await a_letter(broker, *letter(TEAM))
        assert set(await routed(broker, 1)) == {f"held.team.{first}"}
    async with membership(broker, AUTHORS), routing(broker):
        second = await a_letter(broker, *letter(TEAM))
        assert f"post.team.{second}" in await routed(broker, 2)


async def test_whoever_was_killed_after_the_claim_goes_on(broker: Broker) -> None:
    """A claim of this very mail is no objection when it is delivered again; nor is a reset of the
    whole stream, which decides nothing anew."""
    await a_list(broker, TEAM)
    async with membership(broker, AUTHORS), routing(broker):
        await a_letter(broker, *letter(TEAM))
        await routed(broker, 1)
        (claim,) = [each async for each in broker.scan("THREADS", "threads.team.*")]
        known = msgspec.json.decode(claim.data, type=Named)
        await broker.erase("THREADS", claim.seq)
        again = "019cb7a1c47070008000000000000001"
        post = msgspec.structs.replace(known.posts[0], mail=again)
        mine = msgspec.structs.replace(known, posts=(post,), thread=again)
        await broker.publish(claim.subject, msgspec.json.encode(mine), expect=0)
        await a_letter(broker, *letter(TEAM), mail_id=again)
        assert f"post.team.{again}" in await routed(broker, 2)
        await broker.api("CONSUMER.RESET.RECEIVED.router", {"seq": 1})
        await all_handled(broker)
    assert await decisions(broker) == 2
    assert claim.subject == subjects.thread("team", claim.subject.rpartition(".")[2])
