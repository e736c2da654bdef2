"""`postroad member add` without --confirmed: the operator asks, the person answers."""

from __future__ import annotations

from pathlib import Path

from postroad.runtime.broker import Broker
from schemas.commands import Subscribe
from tests.broker.membership import LIST, membership
from tests.broker.requests import ANNA, Post, settings


async def test_an_operator_asks(broker: Broker, tmp_path: Path) -> None:
    """Whoever is added without being confirmed gets a question that says in which role, and is on
    the list, in that and by the name given, when they answer; until then nobody keeps them."""
    post = Post(broker)
    async with membership(broker, settings(tmp_path)) as service:
        await service.create()
        ask = Subscribe(
            list=LIST,
            address="Anna@example.net",
            display_name="Anna",
            role="owner",
            confirmed=False,
        )
        assert (await service.ask(ask)).changed == 1
        (question,) = await post.letters()
        assert (question.to, question.mail["In-Reply-To"]) == ("Anna@example.net", None)
        assert "The people who run" in question.text
        assert "Somebody" not in question.text
        assert "as an owner" in " ".join(question.text.split())
        assert await broker.last("PEOPLE", "people.>") is None
        again = await service.ask(ask)
        assert (again.code, "--confirmed" in again.refused) == ("limited", True)
        done, (letter,) = await post.ask("confirm", token=question.token)
        assert (done.outcome, "look after" in letter.mail["Subject"]) == ("joined", True)
        assert (await service.whois(ANNA)).roles == ("owner",)
        assert (await service.ask(ask)).changed == 0


async def test_only_who_is_new_is_welcomed(broker: Broker, tmp_path: Path) -> None:
    """With `welcome` somebody added as confirmed is told so once; without it nobody hears of
    what an operator does."""
    post = Post(broker)
    async with membership(broker, settings(tmp_path)) as service:
        await service.create()
        await service.ask(Subscribe(list=LIST, address="bob@example.net"))
        assert await post.letters() == []
        for _ in range(2):
            await service.ask(Subscribe(list=LIST, address=ANNA, welcome=True))
        (letter,) = await post.letters()
        assert (letter.to, "Welcome" in letter.mail["Subject"]) == (ANNA, True)
        assert "leave+" in letter.mail["List-Unsubscribe"]
