"""The tests by several workers at once: `pytest -p tests.workers --workers 7`.

Everything is collected once, and the workers are forked from there: each would spend ten seconds
of processor on collecting the same for itself. The tests of a file run in one worker, in order, so
that what is costly to start can be a fixture of the module. What waits most begins first (`EARLY`),
for the others to fill its pauses. A worker that dies fails the test that it was at, with its last
words, and another goes on with the file.
"""

from __future__ import annotations

import contextlib
import itertools
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

from postroad.runtime.children import die_with_parent
from tests.peers import forkserver

EARLY = ("tests/e2e/", "tests/chaos/", "tests/broker/")
PATIENCE = 15.0  # seconds that a worker has to take down what it runs
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
    """A forked process; `left` are the tests that it has yet to end, by their numbers, and `at` is
    whether it has begun with the first. Its terminal is a file."""

    pid: int
    output: IO[str]
    left: deque[int] = field(default_factory=deque)
    at: bool = False

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
            for connection in wait(list(self.workers)):
                assert isinstance(connection, Connection)
                message = None
                with contextlib.suppress(EOFError, ConnectionResetError):
                    message = connection.recv()
                if message is None:
                    self._gone(connection)
                else:
                    self._told(connection, *message)
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

    def _told(self, connection: Connection, what: str, facts: dict[str, Any]) -> None:
        """What a worker says: that it is free, or what pytest said to it of a test."""
        worker = self.workers[connection]
        if what == "free":
            worker.left = self.waiting.popleft() if self.waiting else deque()
            connection.send(list(worker.left))
            return
        if what == "pytest_runtest_logstart":
            worker.at = True
        elif what == "pytest_runtest_logfinish":
            worker.left.popleft()
            worker.at = False
        elif what == "pytest_runtest_logreport":
            facts = {
                "report": self.config.hook.pytest_report_from_serializable(
                    config=self.config, data=facts
                )
            }
        getattr(self.config.hook, what)(**facts)

    def _gone(self, connection: Connection) -> None:
        """It has ended, in the midst of a test or as told."""
        worker = self.workers.pop(connection)
        connection.close()
        code = os.waitstatus_to_exitcode(os.waitpid(worker.pid, 0)[1])
        said = f"a worker ended with {code}\n{worker.last_words()}"
        worker.output.close()
        if worker.left:
            if worker.at:
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
    """Passes on what pytest says of tests."""

    def __init__(self, config: pytest.Config, connection: Connection) -> None:
        self.config = config
        self.connection = connection

    def _tell(self, what: str, **facts: Any) -> None:
        self.connection.send((what, facts))

    def pytest_runtest_logstart(self, nodeid: str, location: tuple[str, int | None, str]) -> None:
        self._tell("pytest_runtest_logstart", nodeid=nodeid, location=location)

    def pytest_runtest_logfinish(self, nodeid: str, location: tuple[str, int | None, str]) -> None:
        self._tell("pytest_runtest_logfinish", nodeid=nodeid, location=location)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        data = self.config.hook.pytest_report_to_serializable(config=self.config, report=report)
        self._tell("pytest_runtest_logreport", **data)


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
        output.flush()
        os._exit(code)  # what pytest does at the end is its first process's to do


def _asked(connection: Connection) -> list[int]:
    connection.send(("free", {}))
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
    config.get_terminal_writer()._file = output
    factory: Any = config._tmp_path_factory  # type: ignore[attr-defined]
    factory._basetemp = factory.getbasetemp() / name
    factory._basetemp.mkdir(mode=0o700)
