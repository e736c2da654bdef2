"""`postroad retry`: copies that finally failed, sent once more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from postroad.cli.consent import can_ask
from postroad.cli.frame import Call, command
from postroad.cli.output import complain, counted
from postroad.runtime.errors import PostroadError, UsageError

if TYPE_CHECKING:
    from schemas.commands import FailedCopies

NAMED = 10  # domains in a line

retry = typer.Typer()


@command(retry, "retry", example="postroad retry 0199d2c64d30 --failed --domain example.net")
async def again(
    call: Call,
    post: Annotated[
        str, typer.Argument(metavar="POST", help="Its id, the first digits of it, or a Message-ID.")
    ],
    failed: Annotated[
        bool, typer.Option("--failed", metavar="", help="Who finally failed.")
    ] = False,
    domain: Annotated[
        str | None, typer.Option(metavar="DOMAIN", help="Only addresses of this domain.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", metavar="", help="Do not ask first.")] = False,
) -> int:
    """Send a post once more to those whose copy finally failed.

    Says first who they are, in numbers, and asks; without a terminal, or with --json, it needs
    --yes, else the exit code is 2. Who has left since is left out, and who is being tried again
    already; so giving the command twice sends nothing twice. What is tried again by itself needs
    none of this.
    """
    from postroad.cli.ask import ask
    from postroad.cli.mails import mail_id
    from postroad.cli.road import road
    from schemas.commands import RetryFailed

    if not failed:
        raise UsageError("say whom to send it to again: --failed, those whose copy finally failed")
    at = "" if domain is None else _domain(domain.strip().lstrip("@"))
    async with road(call.config) as broker:
        wanted = RetryFailed(mail_id=await mail_id(broker, post), domain=at)
        found = (await ask(broker, "retry", wanted)).failed
        _check(at, found)
        ready = sum(each.ready for each in found)
        if not call.json:
            for each in found:
                _print(each, at)
        asks = can_ask(call)
        if ready and (yes or (asks and typer.confirm(f"Send {_copies(ready)} again?"))):
            go = RetryFailed(mail_id=wanted.mail_id, domain=wanted.domain, go=True)
            found = (await ask(broker, "retry", go)).failed
    queued = sum(each.queued for each in found)
    answer = {"post": wanted.mail_id, "queued": queued, "lists": found}
    call.show(answer, lambda: print(_said(queued, ready, wanted.mail_id)))
    if ready and not (yes or asks):
        complain("add --yes to have them sent: nobody can be asked here")
        return 2
    return 0


def _check(domain: str, found: Sequence[FailedCopies]) -> None:
    """Raises PostroadError where nobody who failed is at this domain: it may be misspelt."""
    there: Counter[str] = Counter()
    for each in found:
        there.update(dict(each.domains))
    if not domain or not there or domain in there:
        return
    named = ", ".join(f"{name} ({count:,})" for name, count in there.most_common(NAMED))
    more = f" and {len(there) - NAMED} more domains" if len(there) > NAMED else ""
    raise PostroadError(f"nobody at {domain} failed to get it; who failed is at: {named}{more}")


def _domain(text: str) -> str:
    from postroad.mail.domains import normalise_domain

    if not text:
        raise UsageError("--domain is empty: give it like example.net, or leave it out for all")
    try:
        return normalise_domain(text)
    except ValueError as error:
        raise UsageError(f"--domain {text}: {error}; it should look like example.net") from None


def _print(found: FailedCopies, domain: str) -> None:
    some = found.ready or found.waiting or found.gone
    at = (f", of which at {domain}:" if some else f", none of them at {domain}") if domain else ""
    print(f"{found.list}: {_copies(found.failed)} failed for good{at}")
    for reason, count in found.reasons:
        print(f"  {count:,} can be sent again: {reason}")
    if found.waiting:
        print(f"  {found.waiting:,} being sent again already")
    if found.gone:
        print(f"  {found.gone:,} to people who get no mail of the list any more, or too long ago")


def _said(queued: int, ready: int, mail_id: str) -> str:
    if queued:
        return (
            f"queued {_copies(queued)}; for which of them still wait, and for what: "
            f"`postroad post show {mail_id}`"
        )
    if ready:
        return "nothing was sent"
    return "there is nothing to send again"


def _copies(count: int) -> str:
    return counted(count, "copy", "copies")
