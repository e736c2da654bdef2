"""`postroad mail`: one mail, from standard input or a file."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from postroad.cli import take as taking
from postroad.cli.frame import Call, command, group

mail = group("mail", "One mail.", example="postroad mail take < FILE")


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
    """Take one mail from standard input onto the road. A mail server calls it, for each mail:
    Postfix in master.cf with `flags=Rq null_sender= user=postroad argv=/usr/local/bin/postroad mail
    take --sender=${sender} --recipient=${recipient}`, or in aliases with `team: "|postroad mail
    take"`, where Postfix tells sender and recipient in the environment (SENDER,
    ORIGINAL_RECIPIENT).

    Exit codes are those of sysexits.h: 0 when the mail is on the broker's disk, 75 to be tried
    again, 67 for no domain of ours, 65 for a mail that is empty or larger than max_size, 64 for
    wrong options, 78 for wrong settings.
    """
    told = [f"--source={source}"] if source else []
    told += [f"--config={call.file}"] if call.file else []
    told += [f"--sender={sender}"] if sender is not None else []
    sys.exit(taking.main([*told, *(f"--recipient={each}" for each in recipient or ())]))
