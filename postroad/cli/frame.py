"""What every command shares: --config and --json anywhere, exit codes, errors in one line.

To add a command, write it in the module of its noun (`postroad/cli/member.py`) and name that
module in `app.py`:

    member = group("member", "Who is on a list.", example="postroad member ls LIST")

    @command(member, "ls", example="postroad member ls staff@lists.example.org --json")
    async def ls(call: Call, address: Annotated[str, typer.Argument(metavar="LIST")]) -> None:
        '''The members of a list.'''
        rows = ...                                  # call.config is loaded when first asked for
        call.show(rows, lambda: print_table(("address", "since"), ...))

- The docstring is the help; the example is shown below it. Coroutines are run.
- The first parameter is the `Call`; the others are typer's, without --config and --json.
- Return None, or an exit code where the answer itself is one (`status`, by `call.judge`).
- Raise PostroadError, SettingsError or UsageError with one clear line: it goes to stderr as
  `postroad: ...` (with --json also to stdout as {"error": ...}), and its class is the exit code.
- Import what is heavy (duckdb, nats, rich) inside the command: `postroad --help` stays quick.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.main import get_command

from postroad.cli import misuse
from postroad.cli.helppage import CommandPage, GroupPage
from postroad.cli.output import complain, print_json
from postroad.runtime.plainly import plainly

if TYPE_CHECKING:
    from postroad.runtime.config import Config

_SHARED = "Everywhere"
ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="Settings; else POSTROAD_CONFIG, ./postroad.toml, /etc/postroad/postroad.toml.",
        rich_help_panel=_SHARED,
    ),
]
AsJson = Annotated[
    bool, typer.Option("--json", metavar="", help="Answer in JSON.", rich_help_panel=_SHARED)
]


@dataclass(frozen=True)
class Call:
    """One run of a command: the settings file it names, and the form of answer it wants."""

    file: Path | None = None
    json: bool = False

    @functools.cached_property
    def config(self) -> Config:
        """The settings, read on first use. Raises SettingsError."""
        from postroad.runtime.config import Config

        return Config.load(self.file, os.environ)

    def show(self, data: object, text: Callable[[], None]) -> None:
        """Answer on stdout: `data` as JSON when --json was given, else what `text` prints."""
        if self.json:
            print_json(data)
        else:
            text()

    def judge(self, code: int, data: object, text: Callable[[], None]) -> int:
        """Show a verdict; its exit code, also where whoever read our output has seen enough."""
        try:
            self.show(data, text)
        except BrokenPipeError:
            _unread()
        return code


def group(name: str, about: str, *, example: str, page: type[GroupPage] = GroupPage) -> typer.Typer:
    """A noun: a group of commands, for `app.py` to add."""
    epilog = f"Example: {example}"
    app = typer.Typer(name=name, cls=page, help=about, epilog=epilog, no_args_is_help=True)
    app.callback()(remember)
    return app


def remember(ctx: typer.Context, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Keep --config and --json that stand before the command."""
    ctx.obj = _merged(ctx, config, as_json)


def command(
    app: typer.Typer, name: str, *, example: str, page: type[CommandPage] = CommandPage
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add a function to a group as the command `name`; see the module's page."""

    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        first, *own = inspect.signature(function, eval_str=True).parameters.values()
        assert first.name == "call"

        def run(ctx: typer.Context, config: ConfigFile, as_json: AsJson, **rest: Any) -> Any:
            answer = function(_merged(ctx, config, as_json), **rest)
            return asyncio.run(answer) if inspect.iscoroutine(answer) else answer

        keyword = inspect.Parameter.KEYWORD_ONLY
        parameters = [
            inspect.Parameter("ctx", keyword, annotation=typer.Context),
            *(parameter.replace(kind=keyword) for parameter in own),
            inspect.Parameter("config", keyword, default=None, annotation=ConfigFile),
            inspect.Parameter("as_json", keyword, default=False, annotation=AsJson),
        ]
        # typer reads a command from its signature: ours is the function's with the shared options
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        epilog = f"Example: {example}"
        app.command(name, cls=page, help=_unwrapped(function), epilog=epilog)(run)
        return function

    return add


@functools.cache
def tree(app: typer.Typer) -> Any:
    """Every command, made of the signatures of all functions: 40 ms of processor, once."""
    return get_command(app)


def run(app: typer.Typer, arguments: Sequence[str]) -> int:
    """Run the command line. Returns its exit code; says what failed in one line, never more."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that is not of UTF-8 shows a ?
    code = None
    try:
        try:
            code = tree(app)(list(arguments), prog_name="postroad", standalone_mode=False)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # whoever read our output has seen enough
        _unread()
        return code if isinstance(code, int) else 1
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except Exception as error:  # noqa: BLE001 - the last resort: one line, no traceback
        code, text = _explained(error)
        if text:  # empty: the help was printed instead
            complain(text)
        if _asks_for_json(arguments):
            print_json({"error": text})
        return code
    return code if isinstance(code, int) else 0


def _unread() -> None:
    """Nobody reads what we print any more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _explained(error: Exception) -> tuple[int, str]:
    """Exit code and text for a person; what nobody foresaw is named as our own mistake."""
    if isinstance(error, typer.TyperException):
        return error.exit_code, misuse.told(error)
    if (told := plainly(error)) is not None:
        return told.exit_code, str(told)
    if os.environ.get("POSTROAD_DEBUG"):
        traceback.print_exception(error)
    what = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    return 1, f"internal error: {what} (set POSTROAD_DEBUG=1 for the traceback)"


def _unwrapped(function: Callable[..., Any]) -> str:
    """A docstring with one line for each paragraph: the help wraps at the terminal's width."""
    paragraphs = (inspect.getdoc(function) or "").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def _merged(ctx: typer.Context, config: Path | None, as_json: bool) -> Call:
    outer = ctx.obj if isinstance(ctx.obj, Call) else Call()
    return Call(file=config or outer.file, json=as_json or outer.json)


def _asks_for_json(arguments: Sequence[str]) -> bool:
    words = list(arguments)
    return "--json" in (words[: words.index("--")] if "--" in words else words)
