"""`postroad sql`: questions in SQL about what came of mail."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from postroad.cli.frame import Call, command
from postroad.cli.helppage import QueryPage
from postroad.runtime.errors import PostroadError, Retry, SettingsError, UsageError

if TYPE_CHECKING:
    from postroad.cli.analysis.session import Limits, Session
    from postroad.runtime.config import Config

MAKING_SECONDS = 120.0  # for a copy of a large file
_LIMITS = "Limits"
_FORMS = "Form of the answer"

sql = typer.Typer()


@command(
    sql,
    "sql",
    example='postroad sql "select * from delivery_by_day order by day desc" --limit 10',
    page=QueryPage,
)
def ask(
    call: Call,
    query: Annotated[
        str, typer.Argument(metavar="[QUERY]", help="In SQL; none: a prompt, or from stdin.")
    ] = "",
    *,
    file: Annotated[
        Path | None, typer.Option("--file", metavar="FILE", help="Read the query from a file.")
    ] = None,
    form: Annotated[
        str,
        typer.Option(
            "--format", metavar="FORMAT", help="table, csv, json, parquet.", rich_help_panel=_FORMS
        ),
    ] = "",
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Save the rows: .csv, .json, .parquet.", rich_help_panel=_FORMS
        ),
    ] = None,
    plot: Annotated[
        bool,
        typer.Option(
            "--plot", metavar="", help="A bar for each row's first number.", rich_help_panel=_FORMS
        ),
    ] = False,
    limit: Annotated[
        int | None,
        typer.Option(metavar="N", min=0, help="The first N rows.", rich_help_panel=_FORMS),
    ] = None,
    every: Annotated[
        bool,
        typer.Option("--all", metavar="", help="Show every row, not 100.", rich_help_panel=_FORMS),
    ] = False,
    timeout: Annotated[
        str, typer.Option(metavar="TIME", help="For a query.", rich_help_panel=_LIMITS)
    ] = "60s",
    memory: Annotated[
        str, typer.Option(metavar="SIZE", help="For a query.", rich_help_panel=_LIMITS)
    ] = "512MB",
    fresh: Annotated[
        bool, typer.Option("--fresh", metavar="", help="Of this moment: have the copy made anew.")
    ] = False,
) -> None:
    """Ask in SQL what came of mail: who got it, who did not, and why.

    Questions go to a copy of the analytics that is made every few minutes; docs/analytics.md has
    its tables and ready questions. Nothing can be changed or read but these tables. Without a query
    there is a prompt: .help says more.
    """
    from postroad.cli.analysis.files import write
    from postroad.cli.analysis.session import Session, bind
    from postroad.cli.analysis.tables import ROWS, print_bars, print_result

    text = _query(query, file)
    kind = _kind(call, form, output, plot=plot)
    limits = _limits(timeout, memory)
    session = Session(snapshot(call.config, fresh=fresh), limits)
    bind(limits.octets)
    try:
        if text is None:
            from postroad.cli.analysis.prompt import converse

            converse(session, lambda: snapshot(call.config, fresh=True))
            return
        statements = session.statements(text)
        if not statements:
            raise UsageError('there is no query; try `postroad sql "from about"`')
        if kind == "table":
            shown = None if every else ROWS if limit is None else limit
            for number, statement in enumerate(statements):
                print("\n" if number else "", end="")
                with session.asked(statement) as result:
                    (print_bars if plot else print_result)(result, shown)
            return
        if several := [one for one in statements[:-1] if session.finds(one)]:
            raise UsageError(
                f"{len(several) + 1} queries find rows, and {kind} has room for those of one: "
                "ask one by one, or all with --format table"
            )
        for statement in statements[:-1]:
            _run(session, statement)
        count = write(session, statements[-1], kind, output, limit)
        if output is not None:
            print(f"{count:,} rows in {output}", file=sys.stderr)
    finally:
        session.close()


def _run(session: Session, statement: str) -> None:
    """For its effect on the statements behind it: a macro, a temporary table."""
    with session.asked(statement) as result:
        for _ in result.batches:
            pass


def snapshot(config: Config, *, fresh: bool) -> Path:
    """The copy for analysts; it is asked for where there is none, or it shall be `fresh`. Raises
    PostroadError with the remedy."""
    from projections.snapshot import FOLDER, NAME

    path = config.site.state_dir / FOLDER / NAME
    try:
        there = path.exists()
    except PermissionError:
        raise PostroadError(f"{path} may not be read: ask as the user that runs Postroad") from None
    if fresh or not there:
        asyncio.run(_refresh(config))
    if not path.exists():
        raise PostroadError(
            f"there is no {path}, though a copy was made: is the projector on another machine?"
        )
    return path


async def _refresh(config: Config) -> None:
    import msgspec
    from nats.errors import NoRespondersError

    from postroad.runtime.projector import while_it_hears
    from postroad.runtime.service import connect
    from schemas import subjects
    from schemas.questions import Refreshed

    try:
        async with await connect(config, "ask", wait=2.0) as broker:
            made = broker.inbox.ask(subjects.projector("refresh"), b"", None, MAKING_SECONDS)
            answer = await while_it_hears(broker, made, MAKING_SECONDS)
    except (NoRespondersError, PostroadError) as error:
        why = f" ({error})" if isinstance(error, PostroadError) else ""
        raise PostroadError(
            f"no projector answers, which makes the copy to ask; `postroad up` starts it{why}"
        ) from None
    except Retry as hangs:
        raise PostroadError(f"{hangs.reason}; `postroad status` says how it is") from None
    except TimeoutError:
        raise PostroadError(
            "the projector did not make a copy in time; `postroad status` says how it is"
        ) from None
    refreshed = msgspec.json.decode(answer.data, type=Refreshed)
    if refreshed.refused:
        raise PostroadError(refreshed.refused)


def _query(query: str, file: Path | None) -> str | None:
    """What is asked; None where somebody sits there to ask."""
    if file is None:
        if query or sys.stdin.isatty():
            return query or None
        return sys.stdin.read()
    if query:
        raise UsageError("give a query or --file, not both")
    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UsageError(f"{file} cannot be read: {why}") from None


def _kind(call: Call, form: str, output: Path | None, *, plot: bool) -> str:
    from postroad.cli.analysis.files import FORMATS

    by_name = output.suffix.removeprefix(".").lower() if output is not None else ""
    if (
        output is not None
        and by_name in FORMATS
        and (form or ("json" if call.json else by_name)) != by_name
    ):
        raise UsageError(f"{form or 'json'} does not go into {output}, which is named as {by_name}")
    kind = form or ("json" if call.json else "") or by_name or "table"
    if kind not in FORMATS:
        what = f"--format {kind}" if form else f"a file named {output}"
        raise UsageError(f"{what}: the formats are {', '.join(FORMATS)}")
    if call.json and kind != "json":
        raise UsageError(f"--json and {kind} exclude each other")
    if kind == "parquet" and output is None:
        raise UsageError("parquet goes into a file: --output FILE.parquet")
    if kind == "table" and output is not None:
        raise UsageError("a table is for reading; --output saves csv, json or parquet")
    if plot and kind != "table":
        raise UsageError(f"--plot and {kind} exclude each other")
    return kind


def _limits(timeout: str, memory: str) -> Limits:
    from postroad.cli.analysis.session import Limits
    from postroad.runtime.quantities import duration, size

    try:
        seconds, octets = duration(timeout), size(memory)
    except SettingsError as error:
        raise UsageError(str(error)) from None
    if not 0.1 <= seconds <= 86_400 or not 32 * 10**6 <= octets <= 10**12:
        raise UsageError("--timeout is between 100ms and 1d, --memory between 32MB and 1TB")
    return Limits(seconds, octets)
