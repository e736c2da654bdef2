"""Leave links, pressed by people, providers and programs, at the real service on a real broker."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from nats.aio.msg import Msg

from postroad.runtime import telemetry
from postroad.runtime.broker import Broker
from schemas import subjects
from schemas.commands import CloseList, EraseMember
from schemas.leaving import Leaving
from schemas.membership import MemberUnsubscribed
from services.web import service as web
from tests.broker.leavepages import ONE_CLICK, pages, web_settings
from tests.broker.membership import LIST, SLUG, membership
from tests.broker.requests import ANNA, Post


async def test_one_click_leaves_at_once_and_once(
    broker: Broker,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Looking changes nothing; a POST takes its person off, though owners decide on those who ask
    by mail, and tells them once; another changes nothing. No token is written down anywhere."""
    monkeypatch.setattr(telemetry, "FLUSH_SECONDS", 3600.0)  # all spans stay where we look
    config = web_settings(tmp_path)
    async with membership(broker, config) as service, pages(broker, config) as shown:
        await service.create(unsubscription_policy="moderate", display_name="Tea & <b>Cake</b>")
        await service.add(ANNA)
        person = (await service.whois(ANNA)).person
        link = shown.link(person)
        for looks in (await shown.client.get(link), await shown.client.get(f"{link}?utm=1")):
            assert looks.status_code == 200
            assert "Leave <bdi>Tea &amp; &lt;b&gt;Cake&lt;/b&gt;</bdi>?" in looks.text
            assert ANNA not in looks.text
        head = await shown.client.head(link)
        assert (head.status_code, head.content) == (200, b"")
        assert (await shown.client.post(link, data={"x": "y"})).status_code == 400
        assert (await service.whois(ANNA)).roles == ("member",)

        provider = {name: (None, value) for name, value in ONE_CLICK.items()}  # as multipart
        left = await shown.client.post(link.upper(), files=provider)
        assert (left.status_code, left.has_redirect_location) == (200, False)
        assert "You have left" in left.text
        assert "mailto:team-join@lists.example.org" in left.text
        assert not (await service.whois(ANNA)).roles
        again = await shown.client.post(link, data=ONE_CLICK)
        assert (again.status_code, again.text) == (200, left.text)
        assert "nothing to leave" in (await shown.client.get(link)).text
        assert not {"set-cookie", "server", "location"} & {*left.headers}

        last = await broker.last("MEMBERSHIP", f"membership.{SLUG}.{person}")
        assert last is not None
        assert last.envelope().events == (MemberUnsubscribed(how="leave link on the web"),)
        assert last.envelope().actor == f"person:{person}"
        (letter,) = await Post(broker).letters()
        assert (letter.to, "You have left" in letter.mail["Subject"]) == (ANNA, True)

        counts = shown.context.health.answer().counts
        assert (counts["left"], counts["status_200"]) == (1, 6)
        spans = [*service.context.telemetry._finished]
        spans += shown.context.telemetry._finished
        assert {"web.leave", "web.leave_look", "membership.leave"} <= {each.name for each in spans}
        assert link[-32:] not in f"{spans} {counts} {capfd.readouterr()}".lower()


async def test_links_that_are_none(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token of another list, a forged one, one whose end is missing and one of a list that never
    was are not found; that of somebody who is erased is gone. All tell how to leave by mail, and
    take nobody off. What is forged leaves no trace, for anybody could fill the disk by it."""
    monkeypatch.setattr(telemetry, "FLUSH_SECONDS", 3600.0)
    config = web_settings(tmp_path)
    async with membership(broker, config) as service, pages(broker, config) as shown:
        await service.create()
        await service.create("other@lists.example.org")
        await service.add(ANNA)
        person = (await service.whois(ANNA)).person
        good, other = shown.link(person), shown.link(person, "other-lists-example-org")
        token = good[-32:]
        forged = token[:-1] + ("a" if token[-1] != "a" else "b")
        for link in (
            f"{good[:-32]}{other[-32:]}",
            f"{good[:-32]}{forged}",
            f"/u/nowhere-{token}",
            good[:-1],
            f"/u/{token}",
        ):
            for answer in (
                await shown.client.get(link),
                await shown.client.post(link, data=ONE_CLICK),
            ):
                assert answer.status_code == 404, link
                assert "List-Unsubscribe" in answer.text
                named = link.startswith(good[:-32]) and len(link) == len(good)
                assert ("mailto:team-leave@lists.example.org" in answer.text) == named, link
        assert (await service.whois(ANNA)).roles == ("member",)
        assert shown.context.telemetry._finished == []
        assert not [
            span for span in service.context.telemetry._finished if "membership.leave" in span.name
        ]
        assert (await shown.client.post(other, data=ONE_CLICK)).status_code == 200  # not on it

        await service.ask(CloseList(list=LIST))
        assert "takes no new members" in (await shown.client.post(good, data=ONE_CLICK)).text
        await service.ask(EraseMember(address=ANNA))
        for answer in (await shown.client.get(good), await shown.client.post(good, data=ONE_CLICK)):
            assert answer.status_code == 410
            assert "by mail" in answer.text


async def test_an_answer_that_was_lost_is_asked_for_again(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Membership died when it had heard of a click, and is back: it is asked once more, for to
    leave twice is to leave."""
    monkeypatch.setattr(web, "ASK_SECONDS", 0.3)
    heard: list[bytes] = []

    async def answer(message: Msg) -> None:
        heard.append(message.data)
        if len(heard) > 1:
            await message.respond(msgspec.json.encode(Leaving(standing="left")))

    await broker.nc.subscribe(subjects.command("leave"), cb=answer)
    async with pages(broker, web_settings(tmp_path)) as shown:
        answered = await shown.client.post(shown.link("a" * 24), data=ONE_CLICK)
    assert (answered.status_code, len(heard)) == (200, 2)


async def test_without_membership_people_are_told_to_come_back(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is told that they have left before they have: 503, and when to try again."""
    monkeypatch.setattr(web, "ABSENT_SECONDS", 0.0)
    config = web_settings(tmp_path)
    async with pages(broker, config) as shown:
        link = shown.link("a" * 24)
        for answer in (await shown.client.get(link), await shown.client.post(link, data=ONE_CLICK)):
            assert answer.status_code == 503
            assert answer.headers["retry-after"] == "30"
            assert "try again" in answer.text
