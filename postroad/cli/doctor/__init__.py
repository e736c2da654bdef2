"""`postroad doctor`: whether everything that Postroad needs is as it should be, and what helps.

Looks at the settings, the files, the broker, every mailbox and relay, and the DNS of every
domain, at once and within 20 seconds; with and without a running Postroad. Nothing is changed
anywhere: no mail is sent (MAIL FROM and RSET, never RCPT), folders are opened by EXAMINE, and
nothing is started. One exception, that a service would make as well: an OAuth2 token that is due
is renewed, and the new one stored.

Files    checks        the table of checks: names, what each looks at, what helps
         finding       what a check found
         examination   all of them at once, and their time-outs
         judge/        facts to findings (pure), a file for each kind of subject
         probe/        asking for the facts
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Annotated

import typer

from postroad.cli.frame import Call, command
from postroad.cli.output import print_table
from postroad.runtime.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from postroad.cli.doctor.finding import Finding

PUBLISH = "publish: "  # begins a remedy that is a record

doctor = typer.Typer()


@command(doctor, "doctor", example="postroad doctor --only spf --only dmarc")
async def run(
    call: Call,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="CHECK", help="Make only this check; may be repeated."),
    ] = None,
    send: Annotated[
        bool,
        typer.Option("--send", metavar="", help="Also tell a test alarm to all of [alarm]."),
    ] = False,
) -> int:
    """Check settings, files, broker, mailboxes, relays and DNS; say what helps.

    Nothing is sent (but with --send a test alarm) or changed, and Postroad need not run. The exit
    code is 0 when nothing failed (there may be warnings), 1 when something did, 2 when the settings
    cannot be read.
    """
    from postroad.cli.doctor.checks import CHECKS
    from postroad.cli.doctor.examination import examine, total
    from postroad.cli.doctor.finding import overall
    from postroad.cli.progress import progress
    from postroad.cli.road import quiet
    from postroad.runtime.settings_reader import nearest

    known = [check.name for check in CHECKS]
    for name in only or ():
        if name not in known:
            raise UsageError(f'there is no check "{name}"{nearest(name, known)}')
    quiet()
    config = call.config
    with progress("examining", total(config)) as told:
        found = await examine(config, only or (), told, send=send)
    worst = overall(found)
    code = 1 if worst == "failed" else 0
    each = only == ["copy"]
    return call.judge(code, {"overall": worst, "checks": found}, lambda: _print(found, each=each))


def _print(found: Sequence[Finding], *, each: bool) -> None:
    rows = ([finding] for finding in found) if each else _together(found)
    print_table(("", "check", "of", "finding"), map(_row, rows), whole=2)
    records = [f.remedy.removeprefix(PUBLISH) for f in found if f.remedy.startswith(PUBLISH)]
    if records:  # in the table they would be folded, and could not be copied
        print("\n".join(["\nTo publish in DNS, a line each:", *dict.fromkeys(records)]))
    states = [finding.state for finding in found]
    counts = [(states.count(state), state) for state in ("failed", "warning", "ok", "skipped")]
    print("\n" + ", ".join(_counted(count, state) for count, state in counts if count))


def _counted(count: int, state: str) -> str:
    return f"{count} {state}{'s' if state == 'warning' and count > 1 else ''}"


def _together(found: Sequence[Finding]) -> Iterator[list[Finding]]:
    """Checks that were skipped for one reason make one row, and so do rules that a copy keeps."""
    by = itertools.groupby(found, lambda f: (f.subject, f.state, f.finding if not f.rule else ""))
    for _, same in by:
        findings = list(same)
        if findings[0].state == "skipped" or (findings[0].rule and findings[0].state == "ok"):
            yield findings
        else:
            yield from ([finding] for finding in findings)


def _row(findings: Sequence[Finding]) -> tuple[str, str, str, str]:
    one = findings[0]
    check, text, remedy = one.check, one.finding, one.remedy
    if remedy.startswith(PUBLISH):
        remedy = "publish the record below"
    if one.rule and len(findings) > 1:
        text = f"{len(findings)} rules kept: {', '.join(each.rule for each in findings)}"
    elif len(findings) > 1:
        check, text = f"({len(findings)} more)", f"{', '.join(f.check for f in findings)}: {text}"
    return one.state, check, one.subject, f"{text}\n→ {remedy}" if remedy else text
