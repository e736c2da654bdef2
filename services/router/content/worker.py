"""The process that takes mails apart: `python -m services.router.content.worker`.

It may hang, grow or die of a mail, and nothing else does. The kernel holds it to its limits: its
memory (RLIMIT_AS), and the processor time of each mail, after which it is ended (ITIMER_PROF; finer
than RLIMIT_CPU, which counts whole seconds). It writes no file.

On its standard input there are two lengths, a `Job` and a mail; on its standard output a
length and a `Left`. Both are MessagePack. It ends where its input does, or with its
parent.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sys

import msgspec

from postroad.runtime.children import die_with_parent
from services.router.content.change import left_of
from services.router.content.job import ANSWER, EX_MEMORY, JOB, MEMORY, SECONDS, Job


def main() -> None:
    """Answer until there is nobody left to ask."""
    die_with_parent()
    os.closerange(3, resource.getrlimit(resource.RLIMIT_NOFILE)[0])  # uvloop leaves some open
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever started us
    _limit(resource.RLIMIT_AS, MEMORY)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, 0)
    jobs, answers = sys.stdin.buffer, sys.stdout.buffer
    decode = msgspec.msgpack.Decoder(Job).decode
    encode = msgspec.msgpack.Encoder().encode
    while lengths := jobs.read(JOB.size):
        told, size = JOB.unpack(lengths)
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        try:
            job = decode(jobs.read(told))
            answer = encode(left_of(jobs.read(size), job))
        except MemoryError:
            os._exit(EX_MEMORY)
        signal.setitimer(signal.ITIMER_PROF, 0)
        answers.write(ANSWER.pack(len(answer)) + answer)
        answers.flush()


def _limit(what: int, most: int) -> None:
    """Hold this process to so much, or to less where it is held to that already."""
    _, hard = resource.getrlimit(what)
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    with contextlib.suppress(ValueError, OSError):  # macOS knows no RLIMIT_AS
        resource.setrlimit(what, (most, most))


if __name__ == "__main__":
    main()
