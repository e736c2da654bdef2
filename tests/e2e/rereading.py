"""Reading every stream again, by the command."""

from __future__ import annotations

from typing import Any

from tests.e2e.system import World


async def read_all_again(here: World) -> list[dict[str, Any]]:
    """Reset every consumer to the beginning, and wait until all is read; what the command said of
    each beforehand."""
    said = await here.road.cli("consumer", "reset", "all", "--to", "0", "--yes", "--json")
    assert said.code == 0, said.err
    assert said.json["reset"]
    found: list[dict[str, Any]] = said.json["consumers"]
    for each in found:
        await here.road.settled_again(each["stream"], each["consumer"])
    return found
