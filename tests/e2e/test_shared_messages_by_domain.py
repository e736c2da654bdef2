"""A shared post to domains with many recipients: messages of their own, and nothing forgotten."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.sending import sending
from tests.peers.checker import Post, check


async def test_large_domains_have_messages_of_their_own(tmp_path: Path) -> None:
    """Who fills a quarter of a message shares it with no other domain, though all would fit into
    one; the ledger tells the outcome for everybody, by name."""
    async with sending(tmp_path) as here:
        domains = ("a.example", "b.example")
        everyone = await here.queue(await here.post(1), 0, 80, personal=False, domains=domains)
        await here.finished(1)
        records = here.sink.records()
        assert check(records, [Post("<1@posts>", frozenset(everyone))]).exact
        shared = [{address.partition("@")[2] for address in each.recipients} for each in records]
        assert sorted(shared, key=str) == [{"a.example"}, {"b.example"}]
        ledger = await here.ledger()
        ends = [(entry.outcome.start, entry.outcome.end) for entry in ledger if entry.outcome]
        assert ends == [(0, 40), (40, 80)]
        named = [person for entry in ledger for person in (entry.intent or entry).people]
        assert len(named) == len(set(named)) == 80
