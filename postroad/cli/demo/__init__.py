"""`postroad demo`: see it work, on this machine alone.

A mail server of our own (SMTP and IMAP on loopback ports), `postroad up` as a child process, a
list of three, one of whom joins by mail, one post; then every copy is read back by IMAP and held
against the original.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from postroad.cli.frame import Call, command
from postroad.cli.output import complain
from postroad.runtime.errors import PostroadError, Reject, Retry, UsageError

if TYPE_CHECKING:
    from postroad.cli.demo.installation import Installation

INTERRUPTED = 130

demo = typer.Typer()


@command(demo, "demo", example="postroad demo --keep")
async def run(
    call: Call,
    keep: Annotated[
        bool,
        typer.Option("--keep", metavar="", help="Leave it running, for a mail client of yours."),
    ] = False,
    state: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Work in this new or empty folder, and leave it there."),
    ] = None,
) -> int:
    """See it work: one post to a list of three, on this machine alone.

    Starts a small mail server, the broker and all services. One of the three joins by mail, as
    people do. Then a mail with an attachment is posted, and you see the three copies, their
    timeline and their trace. The exit code is 1 if a copy is missing, doubled or altered. It makes
    its own settings: --config is not read.
    """
    me = asyncio.current_task()
    assert me is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, me.cancel)  # as Ctrl-C does
    with _folder(state) as folder:
        try:
            return await _perform(call, folder, keep=keep)
        except asyncio.CancelledError:
            folder.done_with = True
            return INTERRUPTED


@dataclass
class _Folder:
    """Where a demo lives. A temporary one is removed when nobody needs it any more."""

    path: Path
    temporary: bool
    done_with: bool = False

    @property
    def stays(self) -> bool:
        """Whether it will still be there in the end."""
        return not (self.temporary and self.done_with)


async def _perform(call: Call, folder: _Folder, *, keep: bool) -> int:
    """Everything from the mail server's start to its end. Returns the exit code."""
    from postroad.cli.demo.contact import Contact, show_contact
    from postroad.cli.demo.installation import Installation
    from postroad.cli.demo.journey import Journey
    from postroad.cli.demo.page import show_ending, show_results
    from postroad.cli.demo.scene import DOMAIN, MAILBOX, MEMBERS
    from postroad.cli.demo.screen import Screen
    from postroad.cli.road import quiet
    from postroad.sandbox import Sandbox

    quiet()
    screen = Screen(shown=not call.json)
    passwords = {user: secrets.token_hex(4) for user in (*MEMBERS, MAILBOX)}
    async with contextlib.AsyncExitStack() as stack:
        with screen.step("mail server", "starting the mail server") as step:
            serving = Sandbox.start(passwords, addresses={f"@{DOMAIN}": MAILBOX})
            sandbox = await stack.enter_async_context(serving)
            step.says = (
                f"SMTP on {sandbox.host}:{sandbox.smtp_port}, "
                f"IMAP on {sandbox.host}:{sandbox.imap_port}"
            )
        installing = Installation.start(folder.path, sandbox, passwords[MAILBOX])
        here = await stack.enter_async_context(installing)
        journey = Journey(here, sandbox, passwords, screen)
        report = journey.report
        try:
            await here.while_it_runs(journey.run())
        except (PostroadError, Retry, Reject) as error:
            report.problems.append(str(error))
        good = not report.problems
        folder.done_with = good and not keep
        report.home = str(folder.path) if folder.stays else ""
        if good and keep:
            report.contact = Contact.of(here.config.path, sandbox, passwords)
        call.show(report, lambda: show_results(screen, journey))
        if not good:
            _complain("the demo failed", *report.problems, f"see {here.log}")
            return 1
        if report.contact is None:
            show_ending(screen, report.home)
            return 0
        show_contact(screen, report.contact, report.trace)
        sys.stdout.flush()
        return await _kept(here)


async def _kept(here: Installation) -> int:
    """Let it run until Ctrl-C or SIGTERM. Returns the exit code: 1 where it ends by itself."""
    try:
        await here.ended()
    except PostroadError as error:
        _complain(str(error), f"see {here.log}")
        return 1
    except asyncio.CancelledError:
        pass  # that was the way to end it
    return 0


def _complain(first: str, *more: str) -> None:
    complain("\n  ".join((first, *more)))


@contextlib.contextmanager
def _folder(named: Path | None) -> Iterator[_Folder]:
    """The folder `named`, which stays, or a temporary one. Raises PostroadError."""
    try:
        if named is None:
            folder = _Folder(Path(tempfile.mkdtemp(prefix="postroad-demo-")), temporary=True)
        else:
            named.mkdir(parents=True, exist_ok=True)
            folder = _Folder(named.absolute(), temporary=False)
            if any(folder.path.iterdir()):
                raise UsageError(f"{named} is not empty; the demo wants a folder of its own")
    except OSError as error:
        what = f"{error.filename or named}: {(error.strerror or 'cannot be used').lower()}"
        raise PostroadError(f"{what}; name another folder with --state DIR") from None
    try:
        yield folder
    except Exception:  # nobody foresaw it: keep what may explain it
        _complain(f"the demo ended in an error; its log is in {folder.path}")
        raise
    finally:
        if not folder.stays:
            shutil.rmtree(folder.path, ignore_errors=True)
