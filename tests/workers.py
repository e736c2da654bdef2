"""The tests by several workers at once: `pytest -p tests.workers --workers 7`.

Everything is collected once, and the workers are forked from there: each would spend ten seconds
of processor on collecting the same for itself. The tests of a file run in one worker, in order, so
that what is costly to start can be a fixture of the module. What waits most begins first (`EARLY`),
for the others to fill its pauses. A worker that dies fails the test that it was at, with its last
words, and another goes on with the file. So does one that is at a test for longer than its timeout:
we look at the clock for all of them, where pytest-timeout starts a thread for each test.
"""

from __future__ import annotations

import contextlib
import faulthandler
import itertools
import math
import os
import signal
import tempfile
import threading
import time
import traceback
import warnings
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import IO, Any, NoReturn

import pytest
import pytest_timeout  # type: ignore[import-untyped]

from postroad.runtime.children import die_with_parent
from tests.peers import forkserver, lent

EARLY = ("tests/e2e/", "tests/chaos/", "tests/broker/")
PATIENCE = 15.0  # seconds that a worker has to take down what it runs
LOOK = 1.0  # seconds between two looks at the clock where nobody tells anything
FORKED_WELL = ("jemalloc_bg_thd",)  # threads that are started again where they are missing


def pytest_addoption(parser: pytest.Parser) -> None:
    """How many workers."""
    parser.addoption("--workers", type=int, default=0, help="run the tests by so many processes")


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """The files take turns: their names would be printed for every test."""
    reporter = config.pluginmanager.getplugin("terminalreporter")
    if config.option.workers and reporter:
        reporter.showfspath = False


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """Have the tests run by workers, unless there are to be none."""
    option = session.config.option
    failed = session.testsfailed and not option.continue_on_collection_errors
    if not option.workers or option.collectonly or failed:
        return None
    with contextlib.closing(Foreman(session)) as foreman:
        foreman.run(option.workers)
    return True


@dataclass
class Worker:
    """A forked process; `left` are the tests that it has yet to end, by their numbers. It is at the
    first of them, since `began` by the clock that only goes forward. Its terminal is a file."""

    pid: int
    output: IO[str]
    left: deque[int] = field(default_factory=deque)
    began: float = 0.0

    def last_words(self) -> str:
        """The end of what it wrote that no test has captured."""
        self.output.seek(0)
        return self.output.read()[-8000:]


class Foreman:
    """Gives the tests of a file after the other to whoever is free, and passes on what is told."""

    def __init__(self, session: pytest.Session) -> None:
        self.session = session
        self.config = session.config
        self.workers: dict[Connection, Worker] = {}
        self.hired = 0
        files = itertools.groupby(
            range(len(session.items)), lambda n: session.items[n].nodeid.partition("::")[0]
        )
        self.waiting = deque(
            deque(numbers)
            for _, numbers in sorted(
                ((name, list(numbers)) for name, numbers in files),
                key=lambda each: next(
                    (n for n, folder in enumerate(EARLY) if each[0].startswith(folder)), len(EARLY)
                ),
            )
        )

    def run(self, number: int) -> None:
        """Until everything has run. Raises as pytest does when it is to stop early."""
        forkserver.begin()  # one for all
        for _ in range(min(number, len(self.waiting))):
            self._hire()
        while self.workers:
            for connection in wait(list(self.workers), LOOK):
                assert isinstance(connection, Connection)
                message = None
                with contextlib.suppress(EOFError, ConnectionResetError):
                    message = connection.recv()
                if message is None:
                    self._gone(connection)
                else:
                    self._told(connection, message)
            for worker in self.workers.values():
                self._look(worker)
            if self.session.shouldfail:
                raise self.session.Failed(self.session.shouldfail)
            if self.session.shouldstop:
                raise self.session.Interrupted(self.session.shouldstop)

    def close(self) -> None:
        """Have those who are still at work stop and clean up behind them."""
        for worker in self.workers.values():
            os.kill(worker.pid, signal.SIGINT)
        until = time.monotonic() + PATIENCE
        while ended := wait(list(self.workers), max(0.0, until - time.monotonic())):
            for connection in ended:
                assert isinstance(connection, Connection)
                try:
                    connection.recv()
                except (EOFError, ConnectionResetError):
                    os.waitpid(self.workers.pop(connection).pid, 0)
        for worker in self.workers.values():
            os.kill(worker.pid, signal.SIGKILL)
            os.waitpid(worker.pid, 0)

    def _hire(self) -> None:
        """Fork a worker. Raises RuntimeError where threads are running, which a fork loses."""
        if running := list(_threads()):
            raise RuntimeError(f"a module starts threads as it is imported: {', '.join(running)}")
        self.hired += 1
        ours, its = Pipe()
        output = tempfile.TemporaryFile("w+", buffering=1)  # noqa: SIM115  open as long as it runs
        with warnings.catch_warnings():  # Python 3.12 warns of the thread that we have looked at
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if not pid:
            for connection in (ours, *self.workers):
                connection.close()
            _work(self.session, f"worker{self.hired}", its, output)
        its.close()
        self.workers[ours] = Worker(pid, output)

    def _told(self, connection: Connection, reports: list[Any]) -> None:
        """What a worker says: that it is free (nothing), or what pytest said of a test."""
        worker = self.workers[connection]
        worker.began = time.monotonic()
        if not reports:
            worker.left = self.waiting.popleft() if self.waiting else deque()
            connection.send(list(worker.left))
            return
        item = self.session.items[worker.left.popleft()]
        hook = self.config.hook
        hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for each in reports:
            report = (
                hook.pytest_report_from_serializable(config=self.config, data=each)
                if isinstance(each, dict)
                else each
            )
            hook.pytest_runtest_logreport(report=report)
        hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)

    def _look(self, worker: Worker) -> None:
        """Have it tell where it is, and die, if it has been at its test for too long."""
        if not worker.left:
            return
        limit = pytest_timeout._get_item_settings(self.session.items[worker.left[0]]).timeout
        if limit and time.monotonic() - worker.began > limit:
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker.pid, signal.SIGABRT)
            worker.began = math.inf

    def _gone(self, connection: Connection) -> None:
        """It has ended, in the midst of a test or as told."""
        worker = self.workers.pop(connection)
        connection.close()
        code = os.waitstatus_to_exitcode(os.waitpid(worker.pid, 0)[1])
        said = f"a worker ended with {code}\n{worker.last_words()}"
        worker.output.close()
        if worker.left:
            at = self.session.items[worker.left.popleft()]
            report = pytest.TestReport(
                at.nodeid, at.location, {}, outcome="failed", longrepr=said, when="call"
            )
            self.config.hook.pytest_runtest_logreport(report=report)
            if worker.left:
                self.waiting.appendleft(worker.left)
            self._hire()
        elif code:
            raise RuntimeError(said)


def _threads() -> Iterator[str]:
    """The names of those that run beside this one, in Python or in a library."""
    yield from (each.name for each in threading.enumerate() if each != threading.main_thread())
    for task in Path("/proc/self/task").glob("*"):
        name = (task / "comm").read_text().strip()
        if task.name != str(os.getpid()) and name not in FORKED_WELL:
            yield name


# --- the worker -----------------------------------------------------------------------------------


class _Telling:
    """Passes on what pytest says of tests, once for each: whoever is told is woken."""

    def __init__(self, config: pytest.Config, connection: Connection) -> None:
        self.config = config
        self.connection = connection
        self.reports: list[Any] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        plain = report.passed and type(report) is pytest.TestReport
        self.reports.append(
            report
            if plain
            else self.config.hook.pytest_report_to_serializable(config=self.config, report=report)
        )

    def pytest_runtest_logfinish(self) -> None:
        self.connection.send(self.reports)
        self.reports = []


class _Terminal:
    """What is left of a terminal where nobody looks: what colours differences."""

    def __init__(self, writer: Any) -> None:
        self._tw = writer


def _work(session: pytest.Session, name: str, connection: Connection, output: IO[str]) -> NoReturn:
    """Run what the other end of `connection` gives, until it gives nothing."""
    code = 1
    try:
        die_with_parent()
        _part(session.config, name, output)
        session.config.pluginmanager.register(_Telling(session.config, connection))
        while numbers := _asked(connection):
            for number, following in itertools.zip_longest(numbers, numbers[1:]):
                # After the last of a file all goes that is not the session's.
                session.config.hook.pytest_runtest_protocol(
                    item=session.items[number],
                    nextitem=session if following is None else session.items[following],
                )
        session._setupstate.teardown_exact(None)
        code = 0
    except KeyboardInterrupt:
        with contextlib.suppress(BaseException):
            session._setupstate.teardown_exact(None)
    except BaseException:  # noqa: BLE001  whoever waits for us prints it
        traceback.print_exc(file=output)
    finally:
        lent.end()
        output.flush()
        os._exit(code)  # what pytest does at the end is its first process's to do


def _asked(connection: Connection) -> list[int]:
    connection.send([])
    numbers: list[int] = connection.recv()
    return numbers


def _part(config: pytest.Config, name: str, output: IO[str]) -> None:
    """Have nothing in common with the others: what is captured, where files go, the terminal."""
    capture = config.pluginmanager.getplugin("capturemanager")
    assert capture is not None
    capture.stop_global_capturing()
    for descriptor in (1, 2):
        os.dup2(output.fileno(), descriptor)
    capture.start_global_capturing()
    capture.suspend_global_capture()
    plugins = config.pluginmanager
    writer = config.get_terminal_writer()
    writer._file = output
    for each in ("terminalreporter", "timeout"):  # the first process does what they do
        if plugins.has_plugin(each):
            plugins.unregister(name=each)
    plugins.register(_Terminal(writer), "terminalreporter")
    faulthandler.enable(output)  # what it tells as it is killed for being late
    factory: Any = config._tmp_path_factory  # type: ignore[attr-defined]
    factory._basetemp = factory.getbasetemp() / name
    factory._basetemp.mkdir(mode=0o700)
