"""`postroad mail`: one mail, from standard input or a file."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from postroad.cli import take as taking
from postroad.cli.frame import Call, command, group

mail = group("mail", "One mail.", example="postroad mail inspect FILE")


@command(mail, "take", example="postroad mail take --recipient=team@lists.example.org < FILE")
def take(
    call: Call,
    source: Annotated[
        str, typer.Option(metavar="NAME", help="The source of kind pipe; needed where several are.")
    ] = "",
    sender: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Who sent it; empty for the null sender."),
    ] = None,
    recipient: Annotated[
        list[str] | None, typer.Option(metavar="ADDRESS", help="Whom it is for; repeat for more.")
    ] = None,
) -> int:
    """Take one mail from standard input onto the road, as a mail server's program.

    Postfix calls it in master.cf with `flags=Rq null_sender= user=postroad
    argv=/usr/local/bin/postroad mail take --sender=${sender} --recipient=${recipient}`, or in
    aliases with `team: "|postroad mail take"`, where it tells sender and recipient in the
    environment (SENDER, ORIGINAL_RECIPIENT).

    Exit codes are those of sysexits.h: 0 when the mail is on the broker's disk, 75 to be tried
    again (the broker is away, or settings or options are wrong), 67 for no domain of ours, 65 for a
    mail that is empty or larger than max_size.
    """
    told = [f"--source={source}"] if source else []
    told += [f"--config={call.file}"] if call.file else []
    told += [f"--sender={sender}"] if sender is not None else []
    sys.exit(taking.main([*told, *(f"--recipient={each}" for each in recipient or ())]))


@command(mail, "inspect", example="postroad mail inspect held.eml --list team@lists.example.org")
async def inspect(
    call: Call,
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="The mail; - for stdin.")],
    list_: Annotated[
        str, typer.Option("--list", metavar="LIST", help="Judge it as a mail to this list.")
    ] = "",
    source: Annotated[
        str, typer.Option(metavar="NAME", help="Judge it as mail of this [[source]].")
    ] = "",
) -> None:
    """What a mail is: its facts, whom it was sent to, what each rule says of it and why, what
    becomes of it, how the header of its copies would differ, and what it reports if it is a bounce.

    Sends and stores nothing. Lists, their settings and who its author is are asked of Postroad, or
    read from its streams while it is stopped; where there is none, the rules are asked with default
    settings. Any bytes will do.
    """
    from postroad.cli import inspection
    from postroad.cli.inspection.page import plain, show

    report = await inspection.inspect(call, file, list_, source)
    call.show(plain(report), lambda: show(report))
