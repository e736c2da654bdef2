"""Evidence of consent, asked of the real service."""

from __future__ import annotations

from pathlib import Path

from postroad.runtime.broker import Broker
from postroad.runtime.clock import new_id
from schemas import subjects
from schemas.commands import PersonConsent, Unsubscribe
from schemas.mass import ImportMembers, ImportRow
from services.membership.people import People
from tests.broker.membership import LIST, membership
from tests.broker.requests import ANNA, Post, settings

OTHER = "other@lists.example.org"


async def test_each_opt_in_has_its_evidence(broker: Broker, tmp_path: Path) -> None:
    """One answer tells of all lists, also one that was left and one that somebody known joined
    later: by which mails a member was asked and answered, in which words, and by which token,
    which is not told itself; else who vouches for them."""
    post, config = Post(broker), settings(tmp_path)
    async with membership(broker, config) as service:
        await service.create()
        await service.create(OTHER)
        rows = (ImportRow(line=2, address=ANNA, display_name="Anna"),)
        await service.ask(ImportMembers(list=OTHER, rows=rows, by="carol"))
        await service.ask(Unsubscribe(list=OTHER, address=ANNA))
        asked, (question,) = await post.ask("join")
        answered, _ = await post.ask("confirm", token=question.token)
        found = (await service.ask(PersonConsent(address=ANNA))).person
        assert found is not None
        left, joined = found.lists
        rest = (await service.ask(PersonConsent(address=ANNA, after=1))).person
        assert rest is not None
        assert rest.lists == (joined,)
        assert (found.address, found.display_name) == (ANNA, "Anna")
        assert [row.how for row in found.events] == ["import"]
        assert (left.list, left.roles, joined.list, joined.roles) == (OTHER, (), LIST, ("member",))
        assert [(row.what, row.how, row.by) for row in left.events] == [
            ("joined", "import", "carol at the command line"),
            ("left", "command line", "the command line"),
        ]
        (opt_in,) = joined.events
        text, digest = str(opt_in.facts.pop("text")).split()
        token = str(opt_in.facts.pop("token"))
        assert opt_in.facts == {"asked": asked.mail_id, "answered": answered.mail_id}
        assert (text, len(digest)) == ("confirm_join", 12)
        assert await broker.last("PENDING", subjects.confirmation(token)) is not None
        assert question.token not in repr(found)

        people = People(broker, config.site_key())
        await people.erase(people.key(ANNA), correlation=new_id(), actor="operator")
        assert (await service.ask(PersonConsent(address=ANNA))).code == "unknown_member"
