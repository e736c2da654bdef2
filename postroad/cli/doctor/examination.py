"""All checks at once, each subject in its own time, and never longer than the whole may take."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection
from typing import NamedTuple, cast

from postroad.cli.doctor.checks import ORDER, REMEDIES, names, of_relay, of_source
from postroad.cli.doctor.finding import Finding, failed, skipped
from postroad.cli.doctor.judge import broker as judge_broker
from postroad.cli.doctor.judge import clock as judge_clock
from postroad.cli.doctor.judge import disk as judge_disk
from postroad.cli.doctor.judge import machine as judge_machine
from postroad.cli.doctor.judge import web as judge_web
from postroad.cli.doctor.probe import clock, disk, machine
from postroad.cli.doctor.probe.account import (
    Access,
    examine_relay,
    examine_source,
    examine_token,
)
from postroad.cli.doctor.probe.alarm import examine_alarm
from postroad.cli.doctor.probe.broker import Running
from postroad.cli.doctor.probe.dns import Resolver
from postroad.cli.doctor.probe.domain import examine_domain
from postroad.cli.doctor.probe.web import look
from postroad.runtime.config import Config, Source
from postroad.runtime.oauth import Tokens
from postroad.runtime.plainly import plainly
from postroad.runtime.settings_checks import warn

PATIENCE = 14.0  # seconds for everything about one subject; all are looked at together
_MACHINE = ("disk", "fsync", "clock")  # looked at beside the rest of the installation
_HERE = tuple(check for check in names("installation") if check not in _MACHINE)
# without these nothing after them can be looked at
_NEEDED = ("host", "connection", "tls", "greeting", "login", "folder")


class Subject(NamedTuple):
    """What is looked at, the checks made of it, and the findings as they come."""

    name: str
    checks: tuple[str, ...]
    findings: AsyncIterator[Finding]


async def examine(
    config: Config,
    only: Collection[str] = (),
    told: Callable[[int], None] = lambda _: None,
    *,
    patience: float = PATIENCE,
    send: bool = False,
) -> list[Finding]:
    """Every finding, subject by subject in the order of the table. `only` names the checks that
    are wanted (empty: all); `told` hears how many checks are done; with `send` a test alarm is."""
    running = Running(config)
    subjects = [
        s for s in _subjects(config, running, send=send) if not only or set(only) & {*s.checks}
    ]
    done = 0

    async def one(subject: Subject) -> list[Finding]:
        nonlocal done
        found = await examined(subject, patience)
        done += len(subject.checks)
        told(done)
        return found

    try:
        found = await asyncio.gather(*map(one, subjects))
    finally:
        await running.close()
    return [
        finding
        for findings in found
        for finding in sorted(findings, key=lambda finding: ORDER[finding.check])
        if not only or finding.check in only
    ]


def total(config: Config) -> int:
    """How many checks there are for these settings."""
    return sum(len(subject.checks) for subject in _subjects(config, Running(config)))


def _subjects(config: Config, running: Running, *, send: bool = False) -> list[Subject]:
    tokens, resolver = Tokens(config), Resolver(config.dns)
    found = [
        Subject(judge_machine.HERE, _HERE, _installation(config, running, send=send)),
        Subject(judge_machine.HERE, _MACHINE, _machine(config, running)),
    ]
    for account in config.accounts:
        access = Access(config, tokens, account)
        if isinstance(account, Source):
            name, checks = f"source {account.name}", of_source(account)
            findings = examine_source(config, account, access, running)
        else:
            name, checks = f"relay {account.name}", of_relay(account)
            findings = examine_relay(config, account, access, running, resolver)
        if account.oauth2 is not None:
            found.append(Subject(name, ("token",), examine_token(name, account, access)))
        found.append(Subject(name, tuple(check for check in checks if check != "token"), findings))
    for domain in config.domain:
        findings = examine_domain(config, domain, resolver, running)
        found.append(Subject(domain.name, names("domain"), findings))
    return found


async def _machine(config: Config, running: Running) -> AsyncIterator[Finding]:
    """What takes its time, beside the rest of the installation."""
    for finding in judge_disk.disk(disk.look(config)):
        yield finding
    yield judge_disk.fsync(*await asyncio.to_thread(disk.syncs, config))
    told, readings = await asyncio.gather(running.told(), clock.readings(config))
    if told.clock is not None:
        readings.append(told.clock)
    yield judge_clock.clock(readings, told.newest, kept=clock.kept())


async def _installation(config: Config, running: Running, *, send: bool) -> AsyncIterator[Finding]:
    # the files are a check of their own, which says more of them
    told = config.site, config.domain, config.source, config.relay
    warnings = list(warn(*told, ()))
    for finding in judge_machine.settings(str(config.path), warnings):
        yield finding
    for finding in judge_machine.secrets(machine.secrets(config)):
        yield finding
    for finding in judge_machine.state(machine.state(config)):
        yield finding
    yield judge_machine.python(sys.version_info[:3], packaged=sys.base_prefix == "/usr")
    yield await examine_alarm(config.alarm, send=send)
    seen = await running.told()
    yield judge_broker.broker(seen.broker)
    for finding in judge_broker.lists(seen.lists, config):
        yield finding
    yield judge_web.web(await _web(config, running=seen.lists is not None))


async def _web(config: Config, *, running: bool) -> judge_web.Web | None:
    if config.web is None:
        return None
    base_url = config.site.base_url
    return await look(base_url) if running else judge_web.Web(base_url, running=False)


async def examined(subject: Subject, patience: float) -> list[Finding]:
    """The findings of one subject; what was not reached is said to be so."""
    found: list[Finding] = []
    trouble = ""
    findings = cast("AsyncGenerator[Finding]", subject.findings)
    async with contextlib.aclosing(findings):
        try:
            async with asyncio.timeout(patience):
                async for finding in findings:
                    found.append(finding)
                    if finding.state == "failed" and finding.check in _NEEDED:
                        break
        except TimeoutError:
            trouble = f"no answer within {patience:g} s"
        except Exception as error:  # noqa: BLE001  a check that breaks is not the end of the others
            trouble = str(plainly(error) or f"this check broke: {type(error).__name__}")
    seen = {finding.check for finding in found}
    missing = [check for check in subject.checks if check not in seen]
    if trouble and missing:
        check = missing.pop(0)
        what, _, remedy = trouble.partition("; ")
        found.append(failed(check, subject.name, what, remedy or REMEDIES[check]))
    last = found[-1].check if found else ""
    for check in missing:
        what = f"not looked at without {last}"
        found.append(skipped(check, subject.name, what, f"mend {last} first"))
    return found
