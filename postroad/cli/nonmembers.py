"""`postroad member add --role nonmember`: what becomes of a stranger's posts."""

from __future__ import annotations

from collections.abc import Sequence

from postroad.cli.frame import Call
from postroad.cli.member import whom
from postroad.runtime.errors import UsageError
from schemas.commands import ChangeMember, Subscribe
from schemas.membership import Moderation


async def decide_on(
    call: Call,
    list_: str,
    addresses: Sequence[str] | None,
    name: str,
    moderation: Moderation,
    written_to: object,
) -> int:
    """Have a list know these strangers, with this moderation; empty, as it is for any. Raises
    UsageError where they are to be `written_to`, or come from a file."""
    if written_to:
        raise UsageError("a nonmember is not written to; a file of them is for member import")
    from postroad.cli.ask import ask
    from postroad.cli.road import road

    found: dict[str, bool] = {}
    async with road(call.config) as broker:
        for address in whom(addresses, None):
            known = Subscribe(list=list_, address=address, display_name=name, role="nonmember")
            added = await ask(broker, "subscribe", known)
            action = ChangeMember(list=list_, address=address, moderation_action=moderation)
            changed = await ask(broker, "member_set", action)
            found[address] = bool(added.changed or changed.changed)
    done = {True: "decided on", False: "so already"}
    call.show(
        [{"address": address, "changed": news} for address, news in found.items()],
        lambda: print("\n".join(f"{address}: {done[news]}" for address, news in found.items())),
    )
    return 0
