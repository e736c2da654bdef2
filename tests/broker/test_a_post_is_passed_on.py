"""Where a post went on to, for whoever asks why they have it from another list."""

from __future__ import annotations

from pathlib import Path

from postroad.cli.evidence import Evidence, Posted
from postroad.cli.gathering import _with_lists_behind
from postroad.cli.mails import list_addresses
from postroad.runtime.broker import Broker
from tests.broker.membership import LIST, SLUG, done, membership, post, route, settings


async def test_lists_of_ours_that_a_post_was_passed_on_to_are_found(
    broker: Broker, tmp_path: Path
) -> None:
    """Those in `also_to` of the list that are lists here; an archive elsewhere is none."""
    behind = "sub@lists.example.org"
    async with membership(broker, settings(tmp_path)) as service:
        await service.create(behind)
        await service.create(LIST, also_to=f"{behind}, all@archive.example")
        await service.add("ann@example.net")
        routed = post(await service.as_of())
        await route(broker, routed)
        await done(broker, routed.mail_id)
    known = Evidence(
        post=routed.mail_id,
        address="bob@example.net",
        person="b" * 24,
        lists=await list_addresses(broker),
        posts=(Posted(list=SLUG),),
    )
    assert (await _with_lists_behind(broker, known)).passed == ((SLUG, behind),)
