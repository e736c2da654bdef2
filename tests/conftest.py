"""What all tests share: where the corpora are, and when a test may skip."""

from __future__ import annotations

import asyncio
import gc
import os
import shutil
import tempfile
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
import uvloop
from hypothesis import HealthCheck, settings

from postroad.runtime.embedded import EmbeddedBroker
from tests.peers import lent, nats

ROOT = Path(__file__).resolve().parent.parent

# How long an example takes says more of the machine's other work than of ours.
UNHURRIED = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("unhurried", settings(), **UNHURRIED)
settings.load_profile("unhurried")

# What tests write is synced as often as in life, and lasts as long as they do: in memory that costs
# a quarter less processor, and on a slow disk far less waiting.
MEMORY = Path("/dev/shm")
ROOM = 2 << 30  # bytes; a container often has 64 MB there


def in_memory() -> bool:
    """Whether there is room, and programs may run from there."""
    try:
        free = shutil.disk_usage(MEMORY).free
        return free >= ROOM and not os.statvfs(MEMORY).f_flag & os.ST_NOEXEC
    except OSError:
        return False


if "TMPDIR" not in os.environ and in_memory():
    os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)

# Nothing is asked of the world's name servers: what example.net has there is not ours to say.
os.environ.setdefault("POSTROAD_DNS__RESOLVER", "none")
# Monitors of many installations at once would want the same port.
os.environ.setdefault("POSTROAD_TELEMETRY__PORT", "0")


# A service that runs among the tests would make all that come after it wait for everybody else.
os.nice = lambda increment, /: 0

EmbeddedBroker._spawn = nats.spawn  # type: ignore[assignment]


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The event loop that services run on."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session")
def corpora() -> Path:
    """The folder of real mail: POSTROAD_CORPORA, else ../shared/corpora beside the repository."""
    folder = ROOT / os.environ.get("POSTROAD_CORPORA", "../shared/corpora")
    if not folder.is_dir():
        pytest.skip("the corpora are absent; name their folder in POSTROAD_CORPORA")
    return folder.resolve()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With POSTROAD_NO_SKIP=1 (CI) a skip is a failure: nothing goes untested unnoticed."""
    report = yield
    if (
        report.skipped
        and os.environ.get("POSTROAD_NO_SKIP") == "1"
        and not hasattr(report, "wasxfail")
    ):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} skipped, and POSTROAD_NO_SKIP=1: {call.excinfo}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """A module that skips itself while it is collected (importorskip) is a skip like any other."""
    report = yield
    if report.outcome == "skipped" and os.environ.get("POSTROAD_NO_SKIP") == "1":
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid} skipped, and POSTROAD_NO_SKIP=1: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is collected, a million objects, stays: the garbage collector need not look at it."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_configure(config: pytest.Config) -> None:
    """Brokers that are lent lie with what tests write."""
    lent.place = lambda: config._tmp_path_factory.mktemp("lent")  # type: ignore[attr-defined]


def pytest_sessionfinish() -> None:
    """DuckDB prints what nobody has collected when the process ends."""
    lent.end()
    gc.unfreeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what each round of faults came to, passed or failed."""
    reports = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
    rounds = [
        line
        for report in reports
        for line in report.capstdout.splitlines()
        if " kills, " in line and " bound " in line
    ]
    if rounds:
        terminalreporter.section("rounds of faults")
        terminalreporter.write_line("\n".join(rounds))
