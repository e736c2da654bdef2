"""Leave links that people open or press, and mail providers press for them (RFC 8058).

A link acts at once, whatever `unsubscription_policy` says: who is kept on a list presses the button
for spam instead. Following it again changes nothing and says the same.
"""

from __future__ import annotations

from postroad.mail.addresses import SubAddress, sub_address
from postroad.mail.listheaders import mailto
from postroad.runtime.clock import new_id, now
from schemas.leaving import FollowLink, Leaving, LookAtLink
from services.membership.directory import Listed
from services.membership.requests.deeds import Deeds, Office
from services.membership.requests.outbox import Outbox
from services.membership.requests.reply import Reply, bundles

HOW = "leave link on the web"


class Links:
    """What the web service asks."""

    def __init__(self, office: Office, outbox: Outbox) -> None:
        self._office = office
        self._outbox = outbox

    async def look(self, ask: LookAtLink) -> Leaving:
        """How the person of a link stands on its list, as far as is folded."""
        listed, person = self._read(ask)
        if listed is None or not person:
            return _unknown(listed)
        standing = await self._office.roster.standing(listed.state.slug, person)
        return await self._of(listed, person, member="member" in standing.roles)

    async def follow(self, ask: FollowLink) -> Leaving:
        """Take the person of a link off its list, and tell them as the list does."""
        listed, person = self._read(ask)
        if listed is None or not person:
            return _unknown(listed)
        command = new_id()
        deeds = Deeds(self._office, listed, command, command)
        reply = await deeds.leave_by_link(person, how=HOW)
        if reply is None:
            return await self._of(listed, person, member=False)
        await self._tell(listed, reply, command)
        return _leaving(listed, changed=True)

    def _read(self, ask: LookAtLink) -> tuple[Listed | None, str]:
        """List and person. The list first: a reader of tokens keeps a state for each."""
        listed = self._office.roster.feed.lists.get(ask.list)
        person = self._office.tokens.read_leave(ask.list, ask.token) if listed else None
        return listed, person or ""

    async def _of(self, listed: Listed, person: str, *, member: bool) -> Leaving:
        if not member and not await self._office.roster.address(person):
            return Leaving(standing="erased")
        return _leaving(listed, member=member)

    async def _tell(self, listed: Listed, reply: Reply, cause: str) -> None:
        for bundle in bundles([reply]):
            await self._outbox.write(listed, bundle, cause=cause, at=now())


def _leaving(listed: Listed, *, member: bool = False, changed: bool = False) -> Leaving:
    state = listed.state
    return Leaving(
        standing="member" if member else "left",
        changed=changed,
        name=state.name,
        leave=_mailto(listed, "leave"),
        join=_mailto(listed, "join") if state.open else "",
    )


def _unknown(listed: Listed | None) -> Leaving:
    """A link is cut off at its end, where the token stands, more often than it is forged."""
    leave = _mailto(listed, "leave") if listed is not None and listed.state.open else ""
    return Leaving(standing="unknown", leave=leave)


def _mailto(listed: Listed, sub: SubAddress) -> str:
    address, form = listed.state.address, listed.state.settings.sub_address
    return mailto(sub_address(address, sub, form), sub if form == "none" else "")
