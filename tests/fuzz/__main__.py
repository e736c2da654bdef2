"""Make up hostile inputs: `python -m tests.fuzz [TARGET ...] [--seconds N]`; see `make fuzz`.

Each target starts from its saved corpus. What libFuzzer finds stays in build/fuzz/TARGET, so the
next run goes on from there; an input that fails is build/fuzz/TARGET.crash-*, and belongs into
corpus/TARGET once it is mended. `python -m tests.fuzz.keep TARGET ...` saves the best of the rest.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

from tests.fuzz import targets

HERE = Path(__file__).resolve().parent
CORPUS = HERE / "corpus"
BUILD = HERE.parents[1] / "build" / "fuzz"
SLOWEST = 5  # seconds for one input; instrumented code is five times as slow
_DONE = re.compile(r"Done (\d+) runs in (\d+) second")


def fuzz(name: str, seconds: int) -> str:
    """Fuzz one target so long; what came of it. Raises CalledProcessError where an input failed."""
    found, saved = BUILD / name, CORPUS / name
    found.mkdir(parents=True, exist_ok=True)
    saved.mkdir(parents=True, exist_ok=True)
    log = BUILD / f"{name}.log"
    options = (
        *(f"-max_total_time={seconds}", f"-timeout={SLOWEST}", "-max_len=4096"),
        *("-rss_limit_mb=2048", f"-dict={HERE / 'mail.dict'}"),
        *(f"-artifact_prefix={BUILD / name}.", "-print_final_stats=1"),
    )
    command = (sys.executable, "-m", "tests.fuzz.engine", name, found, saved, *options)
    with log.open("w") as output:
        subprocess.run(command, check=True, stdout=output, stderr=subprocess.STDOUT)
    done = _DONE.search(log.read_text(errors="replace"))
    runs, took = (int(done[1]), int(done[2])) if done else (0, seconds)
    return f"{runs:,} inputs in {took} s, {len(list(found.iterdir())):,} in {found}"


def main() -> int:
    """Fuzz what was asked for, one after the other; 1 where any input failed."""
    known = targets.names()
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("target", nargs="*", help=f"one of {', '.join(known)}; all without")
    parser.add_argument("--seconds", type=int, default=180, help="for each target (180)")
    asked = parser.parse_args()
    failed = False
    for name in asked.target or known:
        if name not in known:
            parser.error(f"there is no target '{name}'; there are {', '.join(known)}")
        try:
            print(f"{name}: {fuzz(name, asked.seconds)}", flush=True)
        except subprocess.CalledProcessError:
            failed = True
            print(f"{name}: an input fails; see {BUILD / name}.log", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
