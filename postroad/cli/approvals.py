"""`postroad request`: who waits to join or leave a moderated list, and giving a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from postroad.cli.frame import Call, command, group
from postroad.cli.output import complain, print_table, whole
from postroad.runtime.errors import PostroadError, UsageError

if TYPE_CHECKING:
    from schemas.approvals import RequestRow, RequestWord

request = group("request", "Who waits to join or leave.", example="postroad request ls")

REASON = 500  # characters
Requests = Annotated[
    list[str], typer.Argument(metavar="ID", help="Ids of requests, or the first digits of them.")
]


@command(request, "ls", example="postroad request ls team@lists.example.org --json")
async def ls(
    call: Call,
    list_: Annotated[
        str, typer.Argument(metavar="LIST", help="Only of this list.", show_default=False)
    ] = "",
) -> None:
    """Who waits for a verdict, whoever has waited longest first."""
    from postroad.cli.ask import ask
    from postroad.cli.road import road
    from schemas.commands import ListRequests

    async with road(call.config) as broker:
        rows = (await ask(broker, "request_ls", ListRequests(list=list_))).requests
    call.show(whole(rows), lambda: _print_rows(rows))


@command(request, "accept", example="postroad request accept 3f9a0c52d1e84b77")
async def accept(call: Call, requests: Requests) -> int:
    """Let people join, or leave, as they wish. They are told."""
    return await _decide(call, requests, "accept")


@command(
    request,
    "reject",
    example='postroad request reject 3f9a0c52d1e84b77 --reason "Write from your office address"',
)
async def reject(
    call: Call,
    requests: Requests,
    reason: Annotated[
        str, typer.Option(metavar="TEXT", help="What they are told; at most 500 characters.")
    ] = "",
) -> int:
    """Turn requests down, and say so to whoever made them. They can ask again a day later."""
    if len(reason) > REASON:
        raise UsageError(f"--reason has {len(reason)} characters; give at most {REASON}")
    return await _decide(call, requests, "reject", reason=reason)


@command(request, "discard", example="postroad request discard 3f9a0c52d1e84b77")
async def discard(call: Call, requests: Requests) -> int:
    """Turn requests down, and tell nobody."""
    return await _decide(call, requests, "discard")


async def _decide(call: Call, requests: Sequence[str], word: RequestWord, reason: str = "") -> int:
    """Give one verdict on each; 1 where one could not be given, each told in its line."""
    from postroad.cli.ask import ask
    from postroad.cli.road import road
    from schemas.commands import DecideRequest

    results: list[dict[str, object]] = []
    async with road(call.config) as broker:
        for one in requests:
            try:
                wanted = DecideRequest(request=one, word=word, reason=reason)
                results += whole((await ask(broker, "request_decide", wanted)).requests)
            except PostroadError as error:
                results.append({"id": one, "error": str(error)})
    good = [result for result in results if "error" not in result]
    call.show(results, lambda: print("\n".join(map(_line, good))) if good else None)
    if not call.json:
        for failed in results:
            if "error" in failed:
                complain(f"{failed['id']}: {failed['error']}")
    return 1 if len(good) < len(results) else 0


def _line(result: dict[str, object]) -> str:
    return "{address} ({action} {list}): {verdict}".format(**result)


def _print_rows(rows: Sequence[RequestRow]) -> None:
    if not rows:
        print("nobody waits for a verdict")
        return
    print_table(
        ("since (UTC)", "id", "list", "wish", "who"),
        (
            (row.since[5:16].replace("T", " "), row.id, row.list, row.action, _who(row))
            for row in rows
        ),
        whole=2,
    )
    print("\nto decide: postroad request accept|reject|discard ID ...")


def _who(row: RequestRow) -> str:
    return f"{row.display_name} <{row.address}>" if row.display_name else row.address
