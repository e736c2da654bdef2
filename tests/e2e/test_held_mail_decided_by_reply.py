"""A stranger's mail is held, robots answer the question, a moderator does: all by real mail."""

from __future__ import annotations

import re
from email.message import EmailMessage
from pathlib import Path

from schemas.commands import Subscribe, Unsubscribe
from tests.e2e.system import World, mail, world
from tests.e2e.test_commands_by_mail import got, reply, told

TEAM = "team@example.org"
OLGA, MOD = "olga@owners.example", "mod@owners.example"
ZOE = "zoe@far.example"
THEN, BOTH, NOW = (f"{name}@d.example" for name in ("then", "both", "now"))
OURS = {"authserv_id": '"mx.our.example"'}
PROOF = "Authentication-Results: mx.our.example; dkim=pass header.d=far.example\r\n"


async def letter(here: World, address: str, count: int = 1) -> EmailMessage:
    """The last of `count` letters to an address."""
    seen = 0
    while len(found := got(here, address)) < count:
        seen = len(await here.sink.wait_for(seen + 1))
    return found[count - 1]


async def staffed(here: World, form: str = "dash") -> None:
    """A list with an owner, a moderator and two members, whose strangers wait."""
    await here.road.make_list(TEAM, [THEN, BOTH], default_nonmember_action="hold", sub_address=form)
    await here.road.ask("subscribe", Subscribe(list=TEAM, address=OLGA, role="owner"))
    await here.road.ask("subscribe", Subscribe(list=TEAM, address=MOD, role="moderator"))


async def test_accepted_by_a_reply_after_robots_answered(tmp_path: Path) -> None:
    """Vacation notices and a quoted word decide nothing; `accept` does, once: every member of today
    gets one copy, and whoever answers later, or twice, is told who was faster."""
    async with world(tmp_path, keep=True) as here:
        await staffed(here)
        here.post(mail(1, author=ZOE))
        question, other = await letter(here, OLGA), await letter(here, MOD)
        here.post(reply(question, "accept\n", Auto_Submitted="auto-replied"))
        here.post(reply(question, "accept\n", From=OLGA, Precedence="bulk"))
        here.post(reply(question, "I am away until Monday.\n", From=OLGA))
        here.post(reply(question, "", From=OLGA, Subject="Out of office: accept"))
        await here.road.settled(5)
        assert [outcome for _, outcome in await told(here)] == ["ignored"] * 4
        await here.road.ask("unsubscribe", Unsubscribe(list=TEAM, address=THEN))
        await here.road.ask("subscribe", Subscribe(list=TEAM, address=NOW))
        here.post(reply(question, "Accept\n", From=OLGA))
        done = await letter(here, OLGA, 2)
        assert done["Subject"] == "Your decision on a mail to Team"
        here.post(reply(question, "discard\n\n", From=OLGA))
        here.post(reply(other, "reject no\n", From=MOD))
        too_late = await letter(here, MOD, 2)
        assert "accepted by olga@owners.example on" in " ".join(str(too_late).split())
        assert "accepted by you on" in " ".join(str(await letter(here, OLGA, 3)).split())
        await here.road.settled(8)
        copies = [r for r in here.sink.records() if "Subject: [Team] post 1\r\n" in r.headers]
        assert sorted(record.recipients[0] for record in copies) == sorted([BOTH, NOW])
        assert not here.sink.violations()


async def test_rejected_with_a_reason_which_its_author_reads(tmp_path: Path) -> None:
    """A proved author hears that the mail waits, then why it was rejected; no member gets it, nor
    the reply, at a list that has no other address than its own."""
    async with world(tmp_path, keep=True, source=OURS) as here:
        await staffed(here, "none")
        here.post(PROOF.encode() + mail(1, author=ZOE))
        question = await letter(here, OLGA)
        here.post(reply(question, "reject: please write in English\n", From=OLGA))
        waits, why = await letter(here, ZOE), await letter(here, ZOE, 2)
        assert waits["Subject"] == "Your mail to Team is waiting"
        assert why["Subject"] == "Your mail to Team was not accepted"
        assert "please write in English" in str(why)
        await here.road.settled(2)
        assert not any(got(here, member) for member in (THEN, BOTH))
        shown = await here.road.cli("post", "ls", "--rejected")
        assert "moderator: please write in English" in shown.out


async def test_membership_is_killed_over_a_verdict(tmp_path: Path) -> None:
    """Dead between the verdict and its answer: the next goes on, one post, one answer."""
    async with world(tmp_path, keep=True, services=("router", "sender", "ingest")) as here:
        await here.road.run("membership")
        await here.road.ready()
        await staffed(here)
        await here.road.stop("membership")
        await here.road.run("membership", crashpoint="membership.after_verdict:1")
        await here.road.ready(["membership"])
        here.post(mail(1, author=ZOE))
        question = await letter(here, OLGA)
        here.post(reply(question, "accept\n", From=OLGA))
        await here.road.died("membership")
        await here.road.run("membership")
        done = await letter(here, OLGA, 2)
        assert re.search(r"It was accepted\.", str(done))
        await here.road.settled(2)
        copies = [r for r in here.sink.records() if "Subject: [Team] post 1\r\n" in r.headers]
        assert sorted(record.recipients[0] for record in copies) == sorted([BOTH, THEN])
        assert [outcome for _, outcome in await told(here)] == ["decided"]
