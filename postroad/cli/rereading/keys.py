"""By which lasting keys each consumer knows that it has dealt with a message.

These are the keys that keep a message that is read again from being done again; where one is there
nothing happens. Where it is not, the message is dealt with as if it came for the first time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import ClassVar, Literal

from postroad.runtime.broker import Broker
from postroad.runtime.stored import Stored
from schemas import subjects
from schemas.membership import MemberBounced
from schemas.road import BounceRouted, MailRefused, MailStopped, WindowRecorded

Fate = Literal[
    "done",  # its outcome is recorded: nothing happens
    "acts",  # there is none: it is dealt with now
    "looks",  # there is none, as there may not have been: it is looked at again
]
PAGE = 150  # names asked for at once; with wildcards each may mean several
LETTERS = timedelta(days=3)  # after it nobody is told of a verdict any more


class Keys:
    """What the streams hold of the outcomes of messages; `now` is the time."""

    def __init__(self, broker: Broker, now: datetime) -> None:
        self._broker = broker
        self._now = now
        self._bounced: dict[str, set[str]] = {}  # reports that were counted, by list

    async def fates(self, durable: str, page: Sequence[Stored]) -> list[Fate]:
        """What would happen with each of these, were it given to this consumer again. Raises
        BrokerUnavailable."""
        return await self._judges[durable](self, page)

    async def _decided(self, page: Sequence[Stored]) -> list[Fate]:
        mails = {_mail(each) for each in page}
        found = await self._lasts("ROUTED", (subjects.decided("*", mail) for mail in mails))
        decided = {_mail(each) for each in found.values()}
        return [
            "done"
            if _mail(each) in decided or any(isinstance(e, MailRefused) for e in each.events())
            else "acts"
            for each in page
        ]

    async def _ended(self, page: Sequence[Stored]) -> list[Fate]:
        """Posts, mail to owners and commands, which a `done` ends."""
        names = [subjects.routed("done", *_place(each)) for each in page]
        found = await self._lasts("ROUTED", names)
        return ["done" if name in found else "acts" for name in names]

    async def _followed(self, page: Sequence[Stored]) -> list[Fate]:
        """Accepted mail, behind which its post stands."""
        names = [subjects.decided(*_place(each)) for each in page]
        found = (await self._lasts("ROUTED", names)).values()
        latest: dict[tuple[str, str], int] = {}
        for each in found:
            latest[_place(each)] = max(latest.get(_place(each), 0), each.seq)
        return ["done" if latest.get(_place(e), 0) > e.seq else "acts" for e in page]

    async def _answered(self, page: Sequence[Stored]) -> list[Fate]:
        fates: dict[int, Fate] = {}
        commands = [each for each in page if each.subject.startswith("mail.routed.command.")]
        for each, fate in zip(commands, await self._ended(commands), strict=True):
            fates[each.seq] = fate
        letters = {}
        for each in page:
            for event in each.events():
                if isinstance(event, MailStopped) and self._now - each.time <= LETTERS:
                    letters[each.seq] = _letter(event)
        sent = await self._lasts(
            "DELIVERY", (subjects.delivery(*one, "0") for one in letters.values())
        )
        queued = await self._lasts(
            "SEND", (subjects.send("now", *one, "0") for one in letters.values())
        )
        told = {tuple(name.split(".")[1:3]) for name in sent}
        told |= {tuple(name.split(".")[3:5]) for name in queued}
        for seq, letter in letters.items():
            fates[seq] = "done" if letter in told else "looks"
        return [fates.get(each.seq, "done") for each in page]

    async def _counted(self, page: Sequence[Stored]) -> list[Fate]:
        fates: list[Fate] = []
        for each in page:
            about = next((e for e in each.events() if isinstance(e, BounceRouted)), None)
            if about is None or not about.about:
                fates.append("done")
                continue
            counted = await self._reports(about.list)
            fates.append("done" if about.mail_id in counted else "looks")
        return fates

    async def _reports(self, list_: str) -> Collection[str]:
        """The reports that were counted on a list; its life is read once."""
        if list_ not in self._bounced:
            self._bounced[list_] = {
                event.report
                async for stored in self._broker.scan("MEMBERSHIP", subjects.membership(list_, "*"))
                if b'"member_bounced"' in stored.data
                for event in stored.events()
                if isinstance(event, MemberBounced)
            }
        return self._bounced[list_]

    async def _sent(self, page: Sequence[Stored]) -> list[Fate]:
        names = [subjects.delivery(*each.subject.split(".")[3:6]) for each in page]
        found = await self._lasts("DELIVERY", names)
        return ["done" if _finished(found.get(name)) else "acts" for name in names]

    async def _lasts(self, stream: str, names: Iterable[str]) -> dict[str, Stored]:
        wanted = list(dict.fromkeys(names))
        found: dict[str, Stored] = {}
        for start in range(0, len(wanted), PAGE):
            found |= await self._broker.last_many(stream, wanted[start : start + PAGE])
        return found

    _judges: ClassVar[dict[str, Callable[[Keys, Sequence[Stored]], Awaitable[list[Fate]]]]] = {
        subjects.ROUTER.name: _decided,
        subjects.ACCEPTED.name: _followed,
        subjects.FANOUT.name: _ended,
        subjects.ANSWERS.name: _answered,
        subjects.BOUNCES.name: _counted,
        subjects.SENDER_NOW.name: _sent,
        subjects.SENDER_BULK.name: _sent,
    }


def _mail(stored: Stored) -> str:
    """The mail it is about; held mail that is let through goes on under a number behind it."""
    return stored.subject.rpartition(".")[2].partition("-")[0]


def _place(stored: Stored) -> tuple[str, str]:
    list_, mail = stored.subject.split(".")[3:5]
    return list_, mail


def _letter(event: MailStopped) -> tuple[str, str]:
    """List and id of the letter that tells its author of it."""
    from services.membership.letters.letter import notice_id

    return event.list, notice_id(event.raw.mail_id, event.list, "verdict" if event.held else "post")


def _finished(last: Stored | None) -> bool:
    events = last.events() if last is not None else ()
    return any(isinstance(event, WindowRecorded) and event.finished for event in events)
