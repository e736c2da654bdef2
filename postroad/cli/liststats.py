"""`postroad list stats`: how a list is doing, in numbers and, on a terminal, in plots."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from postroad.cli.durations import Durations
from postroad.cli.frame import Call, command
from postroad.cli.lists import lists
from postroad.cli.options import Since
from postroad.cli.output import counted, print_table
from services.membership.actors import ERASED

__all__ = ["lists", "stats"]  # the group, with this in it

MOST = 10  # domains and authors
SPOKEN = 60  # characters of what a server said


@command(lists, "stats", example="postroad list stats staff@lists.example.org --since 90d")
async def stats(
    call: Call,
    list_: Annotated[str, typer.Argument(metavar="LIST", help="The list's address.")],
    since: Since = "30d",
) -> None:
    """Members, posts, copies and times to deliver of a list, where copies fail, who writes, and
    what rules caught.

    On a terminal members, posts and times are plotted day by day; --json has every day. Days are
    those of UTC.
    """
    from postroad.cli.ask import ask as ask_membership
    from postroad.cli.gathering import folded, reached
    from postroad.cli.projected import projected
    from postroad.cli.road import road
    from postroad.cli.times import plain
    from postroad.cli.times import since as since_of
    from postroad.runtime.clock import now
    from schemas.commands import ShowList

    begin = since_of(since, now()).astimezone(UTC)
    async with road(call.config) as broker:
        row = (await ask_membership(broker, "list_show", ShowList(list=list_))).lists[0]
        begin = max(begin, datetime.fromisoformat(row.since)) if row.since else begin
        about: dict[str, Any] = {"list": row.slug, "since": plain(begin)}
        async with projected(call.config, broker) as ask:
            (summary,) = await ask("list_summary", after=await folded(broker), **about)
            days = await ask("list_days", **about, until=plain(now()))
            domains = await ask("list_domains", **about, limit=MOST)
            authors = await ask("list_authors", **about, limit=MOST)
            rules = await ask("list_rules", **about)
        where = await reached(broker, (author["person"] for author in authors))
    report = {
        "list": row.address,
        "since": begin,
        **summary,
        "domains": domains,
        "authors": list(named(authors, where)),
        "rules": rules,
        "days": days,
    }
    call.show(report, lambda: _print(report))


def named(
    authors: Iterable[Mapping[str, Any]], where: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    """Who wrote, with the address where they are reached, or whether they were erased; of
    strangers neither."""
    for one in authors:
        address = where.get(one["person"], "")
        yield {**one, "address": address, "erased": bool(one["person"]) and not address}


def _print(report: Mapping[str, Any]) -> None:
    from postroad.cli import plots

    print_table(("", ""), _summary(report), whole=1)
    if plots.possible() and report["days"]:
        _plot(report["days"])
    for title, columns, rows in _tables(report):
        if rows:
            print(f"\n{title}")
            print_table(columns, rows)


def _summary(report: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "list", report["list"]
    yield "since", f"{report['since']:%Y-%m-%d %H:%M} UTC"
    moves = f"{report['joined']:,} joined, {report['gone']:,} gone"
    yield "members", f"{report['members_before']:,} → {report['members']:,}: {moves}"
    strangers = f"; {report['by_strangers']:,} by strangers" if report["by_strangers"] else ""
    known = counted(report["writers"], "author")
    yield "posts", f"{report['posts'] - report['by_strangers']:,} by {known}{strangers}"
    left = f", {report['departed']:,} left before" if report["departed"] else ""
    rest = f"{report['failed']:,} failed, {report['waiting']:,} waiting{left}"
    yield "copies", f"{report['accepted']:,} accepted, {rest}"
    yield "bounces", f"{report['bounces']:,}"
    if report["p50"] is not None:
        took = Durations(p50=report["p50"], p95=report["p95"], p99=report["p99"])
        yield "delivered", took.told


def _plot(days: Sequence[Mapping[str, Any]]) -> None:
    from postroad.cli import plots

    labels = [f"{day['day']:%m-%d}" for day in days]
    timed = [(label, day["p95"]) for label, day in zip(labels, days, strict=True) if day["p95"]]
    if len(days) > 1:
        print(f"\n{plots.curve('members', labels, [day['members'] for day in days])}")
    print(f"\n{plots.bars('posts per day', labels, [day['posts'] for day in days])}")
    if len(timed) > 1:
        title = "seconds in which 95 % of the copies were delivered"
        print(f"\n{plots.curve(title, [one for one, _ in timed], [two for _, two in timed])}")


def _tables(
    report: Mapping[str, Any],
) -> Iterator[tuple[str, Sequence[str], list[tuple[object, ...]]]]:
    yield (
        "Where copies failed, or were put off by a server",
        ("domain", "failed", "put off", "waiting", "what was said most"),
        [
            (
                one["domain"] or "(known no more)",
                f"{one['failed']:,}",
                f"{one['put_off']:,}",
                f"{one['waiting']:,}",
                one["most"][:SPOKEN],
            )
            for one in report["domains"]
        ],
    )
    yield (
        "Who wrote most",
        ("author", "posts", "conversations", "last (UTC)"),
        [
            (
                one["address"] or (ERASED if one["erased"] else "(strangers)"),
                f"{one['posts']:,}",
                f"{one['threads']:,}",
                f"{one['last_at']:%Y-%m-%d %H:%M}",
            )
            for one in report["authors"]
        ],
    )
    yield (
        "What rules caught",
        ("rule", "what", "mails", "let through"),
        [
            (one["rule"], one["kind"], f"{one['mails']:,}", f"{one['posted']:,}")
            for one in report["rules"]
        ],
    )
