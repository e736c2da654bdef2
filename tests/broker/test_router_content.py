"""The router stores a changed body, once, and what it cannot take apart delays nobody."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from postroad.mail.headers import scan
from postroad.mail.opening import opening
from postroad.runtime.blobs import get_raw, put_raw
from postroad.runtime.broker import Broker
from postroad.runtime.clock import new_id
from postroad.runtime.provision import provision
from schemas import subjects
from schemas.envelope import Envelope
from schemas.road import MailReceived, MailStopped, Origin, PostRouted
from tests.broker.router_peers import (
    AUTHORS,
    NEWS,
    TEAM,
    a_list,
    all_handled,
    decisions,
    membership,
    routed,
    routing,
    store,
)
from tests.broker.test_router_killed_between_two_lists import router
from tests.unit.router.content.mime import EXE, PDF, TEXT, Part, mail, multipart

WITH_PDF = mail(multipart("mixed", TEXT, PDF, EXE))
BOMB = mail(Part("text/html", b"<!--" * 60_000))
FILTER: dict[str, Any] = {"filter_content": True}


async def a_mail(broker: Broker, data: bytes, *to: str) -> str:
    """A mail of these octets is received; returns its id."""
    mail_id = new_id()
    head = f"To: {', '.join(to)}\r\nMessage-ID: <{mail_id}@example.org>\r\n".encode()
    data = head + data
    facts, body = scan(data)
    raw = await put_raw(broker, mail_id, 0, data, body)
    event = MailReceived(
        mail_id=mail_id,
        origin=Origin(source="office"),
        raw=raw,
        facts=facts,
        opening=opening(data, facts.subject),
    )
    await store(broker, subjects.received("office", mail_id), event, mail_id=mail_id)
    return mail_id


def post(found: dict[str, Envelope], slug: str, mail_id: str) -> PostRouted:
    """The post of a mail to a list."""
    (event,) = found[f"post.{slug}.{mail_id}"].events
    assert isinstance(event, PostRouted)
    return event


async def parts(broker: Broker, mail_id: str) -> set[str]:
    """The numbers of the parts that RAW has of a mail."""
    told = await broker.api("STREAM.INFO.RAW", {"subjects_filter": f"raw.{mail_id}.>"})
    return {subject.split(".")[2] for subject in told["state"]["subjects"]}


def workers() -> int:
    """How many of our child processes take mails apart."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    lines = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children]
    return sum(b"content.worker" in line for line in lines)


async def test_each_list_gets_what_its_filter_leaves(broker: Broker) -> None:
    """Lists with the same filter share a body; one without filter has the mail as it came, and
    starts no process."""
    await a_list(broker, TEAM, **FILTER, pass_types=("text",))
    await a_list(broker, NEWS, **FILTER)
    await a_list(broker, "club@lists.example.org", **FILTER, pass_types=("text",))
    await a_list(broker, "open@lists.example.org")
    async with membership(broker, AUTHORS), routing(broker):
        first = await a_mail(broker, WITH_PDF, "open@lists.example.org")
        found = await routed(broker, 1)
        assert post(found, "open", first).raw.part == 0
        assert workers() == 0
        second = await a_mail(broker, WITH_PDF, TEAM, NEWS, "club@lists.example.org")
        found = await routed(broker, 4)
        assert workers() > 0
    assert workers() == 0
    bodies = {}
    for slug in ("team", "news", "club"):
        event = post(found, slug, second)
        data = await get_raw(broker, event.raw)
        assert data[: event.raw.head].endswith(b"\r\n\r\n")
        assert any(edit.name == "X-Content-Filtered-By" for edit in event.edits)
        bodies[slug] = (event.raw.part, b"Hello" in data, b"%PDF" in data, b"MZ" in data)
    assert bodies["team"] == bodies["club"]
    assert bodies["team"][1:] == (True, False, False)
    assert bodies["news"][1:] == (True, True, False)
    assert await parts(broker, second) == {"0", "1", "2"}
    assert await parts(broker, first) == {"0"}


async def test_a_mail_that_needs_no_change_has_none(broker: Broker) -> None:
    """It goes out as it came, and says nothing of a filter."""
    await a_list(broker, TEAM, **FILTER)
    async with membership(broker, AUTHORS), routing(broker):
        mail_id = await a_mail(broker, mail(TEXT), TEAM)
        event = post(await routed(broker, 1), "team", mail_id)
    assert event.raw.part == 0
    assert all(edit.name != "X-Content-Filtered-By" for edit in event.edits)


async def test_a_bomb_is_held_and_delays_nobody(broker: Broker) -> None:
    """The next mail is decided on while the bomb is being taken apart."""
    await a_list(broker, TEAM, **FILTER, convert_html_to_plaintext=True)
    async with membership(broker, AUTHORS), routing(broker):
        bomb = await a_mail(broker, BOMB, TEAM)
        others = [await a_mail(broker, WITH_PDF, TEAM) for _ in range(5)]
        found = await routed(broker, 6)
    assert list(found)[-1] == f"held.team.{bomb}"
    (stopped,) = found[f"held.team.{bomb}"].events
    assert isinstance(stopped, MailStopped)
    assert stopped.hits[0].reason.startswith("it takes more than")
    assert (await get_raw(broker, stopped.raw)).endswith(BOMB)
    assert set(found) == {f"held.team.{bomb}", *(f"post.team.{each}" for each in others)}


async def test_a_mail_of_which_nothing_is_left_is_stopped(broker: Broker) -> None:
    """As the list says."""
    await a_list(broker, TEAM, **FILTER, pass_types=("text",))
    await a_list(broker, NEWS, **FILTER, pass_types=("text",), filter_action="discard")
    async with membership(broker, AUTHORS), routing(broker):
        mail_id = await a_mail(broker, mail(PDF), TEAM, NEWS)
        found = await routed(broker, 2)
    assert set(found) == {f"held.team.{mail_id}", f"discarded.news.{mail_id}"}


@pytest.mark.parametrize("point", ["router.after_changed_body:1", "router.after_changed_body:4"])
async def test_a_router_killed_after_it_stored_a_body_repeats_nothing(
    broker: Broker, tmp_path: Path, point: str
) -> None:
    """The next one finds the same octets there, and decides once."""
    await provision(broker, ack_wait=1.0)
    await a_list(broker, TEAM, **FILTER, pass_types=("text",))
    async with membership(broker, AUTHORS):
        mails = [await a_mail(broker, WITH_PDF, TEAM) for _ in range(6)]
        async with router(tmp_path, point) as first:
            assert await asyncio.wait_for(first.wait(), 60) == -signal.SIGKILL
        async with router(tmp_path):
            found = await routed(broker, len(mails))
            await all_handled(broker)
    assert set(found) == {f"post.team.{mail_id}" for mail_id in mails}
    assert await decisions(broker) == len(mails)
    for mail_id in mails:
        assert post(found, "team", mail_id).raw.part == 1
        assert await parts(broker, mail_id) == {"0", "1"}


async def test_a_moderators_password_in_the_text_is_in_no_body(broker: Broker) -> None:
    """Though the list filters nothing, and the password is that of another list; RAW keeps the mail
    as it came."""
    await a_list(broker, TEAM)
    await a_list(broker, "news@lists.example.org", moderator_password="a hash of it")
    text = Part("text/plain", b"Approved: sesame street\r\n\r\nHello\r\n")
    async with membership(broker, AUTHORS), routing(broker):
        mail_id = await a_mail(broker, mail(text), TEAM)
        event = post(await routed(broker, 1), "team", mail_id)
    data = await get_raw(broker, event.raw)
    assert data[event.raw.head :] == b"Hello\r\n"
    assert event.raw.part == 1
    assert all(edit.name != "X-Content-Filtered-By" for edit in event.edits)
    assert await parts(broker, mail_id) == {"0", "1"}


async def test_where_no_list_has_a_password_such_a_text_is_a_text(broker: Broker) -> None:
    """`Approved: the budget` may be news."""
    await a_list(broker, TEAM)
    text = Part("text/plain", b"Approved: the budget\r\n\r\nHello\r\n")
    async with membership(broker, AUTHORS), routing(broker):
        mail_id = await a_mail(broker, mail(text), TEAM)
        event = post(await routed(broker, 1), "team", mail_id)
    assert event.raw.part == 0
