"""`make bench`: what Postroad does on this machine, beside what the machine can do.

    python -m tests.bench [latency|posts|large|... ...]

Every scenario runs `postroad up` with default settings: all services, a supervisor and the embedded
broker, which syncs each message to a real disk (state under build/). Mails have 4 KB.
Mail comes from a real Dovecot, or is published as ingest publishes it, and goes to Postfix's
smtp-sink, or, where times of arrival count, to our recording sink, over loopback without TLS.
Figures are medians. `ratio` is against `smtp-source -d` over four connections, run between our
rounds into the same sink; on a busy machine the ratios hold better than the figures, and seconds
of CPU better still. Each scenario's module says where its clock starts and stops, and why.

Writes build/bench.json: a list of {"scenario", "value", "unit", "ratio", ...}, after each scenario:
all of them take half an hour, and a run that is ended keeps what it has. Ends with 1 where
a scenario broke, never because a figure is poor.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence

import pytest
import uvloop

from postroad.runtime import logs
from tests.bench import (
    analytics,
    far,
    heavy,
    idle,
    intake,
    large,
    latency,
    membership,
    million,
    posts,
    questions,
    router,
    signed,
    telemetry,
    windows,
)
from tests.bench.figures import HEAD, Figure, below, line
from tests.bench.road import BUILD
from tests.bench.yardsticks import SESSIONS, fsync_ms, source_rate
from tests.peers.smtpsink import SmtpSink


async def machine() -> AsyncIterator[Figure]:
    """What the machine itself does: all else is to be seen beside this."""
    yield Figure.median("this machine: 4 KB to disk (fsync)", [fsync_ms(BUILD)], "ms")
    async with SmtpSink.start() as sink:
        rates = [await source_rate(sink.port, 10_000) for _ in range(3)]
    name = f"this machine: smtp-source -d, {SESSIONS} sessions"
    yield Figure.median(name, rates, "msg/s")


SCENARIOS: dict[str, Callable[[], AsyncIterator[Figure]]] = {
    "machine": machine,
    "idle": idle.measure,
    "latency": latency.measure,
    "intake": intake.measure,
    "posts": posts.measure,
    "router": router.measure,
    "large": large.measure,
    "signed": signed.measure,
    "windows": windows.measure,
    "far": far.measure,
    "million": million.measure,
    "membership": membership.measure,
    "analytics": analytics.measure,
    "ledger": questions.of_many,
    "heavy": heavy.measure,
    "telemetry": telemetry.measure,
}


async def bench(names: Sequence[str]) -> int:
    """Measure, print and write; returns the exit code."""
    os.environ.setdefault("POSTROAD_LOG", "error")  # the table is all that is to be read
    logs.configure("bench")
    began = time.monotonic()
    figures: list[Figure] = []
    broken = 0
    BUILD.mkdir(exist_ok=True)
    file = BUILD / "bench.json"
    this = asyncio.current_task()
    assert this is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this.cancel)
    print(f"{os.cpu_count()} CPUs, load average {os.getloadavg()[0]:.1f}")
    print(line(*HEAD), flush=True)
    for number, name in enumerate(names, 1):
        print(f"{name} ({number} of {len(names)}) ...", file=sys.stderr, flush=True)
        try:
            async for figure in SCENARIOS[name]():
                figures.append(figure)
                print("\n".join(figure.lines()), flush=True)
        except pytest.skip.Exception as skipped:
            print("\n".join((f"{name}: skipped", *below(str(skipped)))), flush=True)
        except Exception as error:  # noqa: BLE001  the other scenarios still tell something
            broken += 1
            print("\n".join((f"{name}: BROKEN", *below(repr(error)))), flush=True)
        except asyncio.CancelledError:
            broken += 1
            print(f"{name}: ended by a signal; not measured: {', '.join(names[number:]) or 'none'}")
            break
        finally:
            told = json.dumps([figure.to_json() for figure in figures], indent=1)
            file.write_text(told + "\n")
    took = time.monotonic() - began
    print(f"{len(figures)} figures in {took:.0f} s: {file.relative_to(BUILD.parent)}")
    return 1 if broken else 0


def main() -> int:
    """Entry of `python -m tests.bench`."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("scenario", nargs="*", help=f"of these: {', '.join(SCENARIOS)}")
    names = parser.parse_args().scenario
    if unknown := set(names) - set(SCENARIOS):
        parser.error(f"no scenario {min(unknown)!r}; there are {', '.join(SCENARIOS)}")
    return uvloop.run(bench(names or list(SCENARIOS)))


if __name__ == "__main__":
    sys.exit(main())
