"""Which post of which list a bounce is about: by its token, else by what the report quotes.

A token proves the copy, down to its recipient. A quoted trace proves nothing by itself; it counts
where ROUTED has such a post of that list, or SEND such a notice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import NamedTuple

from postroad.mail.addresses import Match, around_token
from postroad.mail.tokens import TokenMaker
from postroad.runtime.broker import Broker
from projections.lists import List
from schemas import subjects
from schemas.mail import Returned

# kinds of decision of which copies went out
_SENT: tuple[subjects.Kind, ...] = ("post", "owner", "done")


class Copy(NamedTuple):
    """A mail of ours: its list, its id (empty where it is no longer known), and the number of
    one recipient within it (-1 where nothing proves that)."""

    slug: str
    about: str = ""
    number: int = -1


class Bounces:
    """Finds what bounces are about. `tokens` is called when the first token must be read."""

    def __init__(self, broker: Broker, tokens: Callable[[], TokenMaker]) -> None:
        self._broker = broker
        self._make = tokens

    @cached_property
    def _tokens(self) -> TokenMaker:
        return self._make()

    def list_of(self, to: Match, lists: Iterable[List]) -> str:
        """The slug of the list whose token stands in `bounces+TOKEN@` or `leave+TOKEN@`; empty
        where it is of none. Only lists whose names leave no room for a token have such."""
        reads = {"bounces": self._tokens.read_verp, "leave": self._tokens.read_leave}
        read = reads.get(to.sub)
        if read is None:
            return ""
        for known in lists:
            named = around_token(known.address, "bounces", known.settings.sub_address)[0]
            if named == "bounces+" and read(known.slug, to.token) is not None:
                return known.slug
        return ""

    async def at(self, slug: str, token: str, returned: Returned | None) -> Copy:
        """What a mail to the bounce address of this list is about, as far as it tells."""
        if token and (copy := await self._by_token(slug, token)):
            return copy
        if returned is None:
            return Copy(slug)
        if returned.copy and (copy := await self._by_token(slug, returned.copy)):
            return copy
        return await self._by_trace(slug, returned.trace) or Copy(slug)

    async def anywhere(
        self, returned: Returned, named: List | None, lists: Iterable[List]
    ) -> Copy | None:
        """The mail of ours that a report names, wherever it came in. `named` is the list of its
        List-Id; without it each of `lists` is tried. None where it names none."""
        if returned.copy:
            for known in (named,) if named else lists:
                if copy := await self._by_token(known.slug, returned.copy):
                    return copy
        return await self._by_trace(named.slug if named else "*", returned.trace)

    async def sent(self, slug: str, trace: str) -> bool:
        """Whether this list has sent out the mail with this id."""
        return await self._by_trace(slug, trace) is not None

    async def _by_token(self, slug: str, token: str) -> Copy | None:
        numbers = self._tokens.read_verp(slug, token)
        if numbers is None:
            return None
        post, number = numbers
        stored = await self._broker.get("ROUTED", post)
        kind, list_, mail_id = stored.subject.split(".")[2:] if stored else ("", "", "")
        known = kind in _SENT and list_ == slug
        return Copy(slug, mail_id if known else "", number)

    async def _by_trace(self, slug: str, trace: str) -> Copy | None:
        """The post or notice of this id; a slug of `*` is any list."""
        if not trace:
            return None
        for kind in _SENT:  # one by one: of two lists, one may have sent what the other held
            if decision := await self._broker.last("ROUTED", subjects.routed(kind, slug, trace)):
                return Copy(decision.subject.split(".")[3], trace)
        notice = await self._broker.last("SEND", subjects.send_any_lane(slug, trace, "0"))
        if notice is not None:
            return Copy(notice.subject.split(".")[3], trace)
        sent = await self._broker.last("DELIVERY", subjects.delivery(slug, trace, "0"))
        return Copy(sent.subject.split(".")[1], trace) if sent else None
