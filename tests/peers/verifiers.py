"""Independent verifiers of DKIM and ARC: Debian's python3-dkim, and its opendkim-tools.

with dkimpy() as verify:
    assert verify(mail, records).dkim == [True]
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

SCRIPT = Path(__file__).parent / "verifyscript.py"
PYTHON = "/usr/bin/python3"  # Debian's own, which has python3-dkim


class Verdict(NamedTuple):
    """Whether each signature is right, from the top; of the ARC chain "none", "pass", "fail" or,
    where its last seal says that it failed, "ended" ("" where that was not looked at); and what
    was said."""

    dkim: list[bool]
    arc: str
    reason: str


Verify = Callable[[bytes, Mapping[str, str]], Verdict]
"""Takes a mail, and the TXT records by name."""


@contextmanager
def dkimpy() -> Iterator[Verify]:
    """python3-dkim: every signature, and the ARC chain. Skips where it is not installed."""
    known = subprocess.run([PYTHON, "-c", "import dkim, nacl"], capture_output=True, check=False)
    if known.returncode:
        pytest.skip("python3-dkim or python3-nacl is absent: apt install python3-dkim python3-nacl")
    with _running([PYTHON, str(SCRIPT), "dkimpy"]) as verify:
        yield verify


@contextmanager
def opendkim() -> Iterator[Verify]:
    """opendkim-testmsg: one verdict on all signatures. Skips where it is not installed."""
    if not Path("/usr/sbin/opendkim-testmsg").exists():
        pytest.skip("opendkim-testmsg is absent: apt install opendkim-tools")
    apart = ["unshare", "--net", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    if subprocess.run([*apart, "true"], capture_output=True, check=False).returncode:
        pytest.skip("opendkim-testmsg needs a network of its own (unshare): run this as root")
    with _running([*apart, PYTHON, str(SCRIPT), "opendkim"]) as verify:
        yield verify


@contextmanager
def _running(command: list[str]) -> Iterator[Verify]:
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=clean
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        asking, telling = process.stdin, process.stdout

        def verify(mail: bytes, records: Mapping[str, str]) -> Verdict:
            question = {"mail": base64.b64encode(mail).decode(), "records": dict(records)}
            asking.write(json.dumps(question) + "\n")
            asking.flush()
            answer = telling.readline()
            assert answer, f"{command[-1]} ended"
            return Verdict(**json.loads(answer))

        yield verify
        asking.close()
