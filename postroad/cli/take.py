"""`postroad mail take` without the command line's libraries, as a mail server starts it for each
mail.

It answers by exit code, as sysexits.h names them and mail servers read them: taken, to be tried
again, or not to be had. Whatever is not clearly the fault of the mail is to be tried again: what is
wrong in the settings, or where they name the command, is mended while the mail server keeps the
mail, which else would go back to whoever its sender claims to be.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NoReturn

from postroad.runtime.errors import PostroadError, SettingsError

if TYPE_CHECKING:
    from postroad.runtime.config import Config, Source

PATIENCE = 60.0  # seconds in all; mail servers allow some minutes
NULL = ("", "<>", "MAILER-DAEMON")  # what servers write for the null sender
_ENVIRON = ("ORIGINAL_RECIPIENT", "RECIPIENT")  # of Postfix's local(8); Exim has the second


class Refusal(Exception):
    """The mail is not taken: the exit code, and why in one line."""

    def __init__(self, code: int, why: str) -> None:
        super().__init__(why)
        self.code = code


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Refusal(os.EX_TEMPFAIL, f"{message} (see: postroad mail take --help)")


def main(arguments: Sequence[str]) -> int:
    """Take one mail from standard input. Returns the exit code; never a traceback."""
    try:
        _take(arguments, os.environ, sys.stdin.buffer)
    except Refusal as refusal:
        return _said(refusal.code, str(refusal))
    except PostroadError as error:
        return _said(os.EX_TEMPFAIL, str(error))
    except BaseException as error:  # noqa: BLE001  whatever it is, the mail server shall keep the mail
        return _said(os.EX_TEMPFAIL, f"it cannot be taken now ({type(error).__name__})")
    return os.EX_OK


def _said(code: int, why: str) -> int:
    print(f"postroad: {' '.join(why.split())}", file=sys.stderr)
    return code


def _take(arguments: Sequence[str], environ: Mapping[str, str], stdin: BinaryIO) -> None:
    told = _parsed(arguments)
    config, source = _settled(told.config, told.source, environ)
    sender, recipients = _envelope(told.sender, told.recipient, environ)
    recipients = _ours(config, source, recipients)
    from services.ingest.pipe import hand_over, plain

    data = plain(stdin.read(source.max_bytes + 1))
    if len(data) > source.max_bytes:
        raise Refusal(os.EX_DATAERR, f"the mail is larger than {source.max_size}")
    if not data.strip():
        raise Refusal(os.EX_DATAERR, "there is no mail on standard input")

    async def in_time() -> bool:
        async with asyncio.timeout(PATIENCE):
            return await hand_over(config, source, data, sender, recipients)

    if not asyncio.run(in_time()):
        raise Refusal(os.EX_DATAERR, "the mail was refused before")


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = _Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("--config")
    parser.add_argument("--source", default="")
    parser.add_argument("--sender")
    parser.add_argument("--recipient", action="append", default=[])
    return parser.parse_args(list(arguments))


def _settled(file: str | None, name: str, environ: Mapping[str, str]) -> tuple[Config, Source]:
    """The settings, and the source of kind pipe that is meant."""
    from postroad.runtime.config import Config

    config = Config.load(Path(file) if file else None, environ)
    pipes = [source for source in config.source if source.kind == "pipe"]
    if not pipes:
        raise SettingsError(f'{config.path}: there is no [[source]] of kind = "pipe"')
    named = [source for source in pipes if name in ("", source.name)]
    if len(named) != 1:
        known = ", ".join(source.name for source in pipes)
        raise Refusal(os.EX_TEMPFAIL, f"name the source with --source; there are: {known}")
    return config, named[0]


def _envelope(
    sender: str | None, recipients: Sequence[str], environ: Mapping[str, str]
) -> tuple[str | None, list[str]]:
    """Sender and recipients as told by options, else by the environment."""
    if sender is None:
        sender = environ.get("SENDER")
    if not recipients:
        recipients = [environ[name] for name in _ENVIRON if environ.get(name)][:1]
    if sender is not None and sender.upper() in NULL:
        sender = ""
    _readable("the sender", [sender or ""], os.EX_DATAERR)
    _readable("a recipient", recipients, os.EX_NOUSER)
    return sender, [recipient.strip("<>") for recipient in recipients]


def _readable(what: str, addresses: Iterable[str], code: int) -> None:
    """No retry mends octets that are no text: neither of RFC 5321 nor of RFC 6531."""
    try:
        "".join(addresses).encode()
    except UnicodeEncodeError:
        raise Refusal(code, f"{what} is no address: it is not UTF-8") from None


def _ours(config: Config, source: Source, recipients: Sequence[str]) -> list[str]:
    """The recipients, each in a domain that the source reaches, or the source is for one list. One
    exit code answers for all: were one left out, nobody would hear of it."""
    if source.list or not recipients:
        return list(recipients)
    domains = {source.domain.lower()} if source.domain else {d.name for d in config.domain}
    strange = sum(each.rpartition("@")[2].lower() not in domains for each in recipients)
    if strange:
        which = f"{strange} of {len(recipients)} recipients" if len(recipients) > 1 else "it"
        are = "is" if strange == 1 else "are"
        why = f"{which} {are} in no domain that this source reaches; nothing is taken"
        raise Refusal(os.EX_NOUSER, why)
    return list(recipients)
