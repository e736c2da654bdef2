"""The process that services are forked from; `postroad.runtime.nursery` starts it, and asks.

Its standard input is a socket: on it come the command line of a service, the file for its output,
and one to wait at for the word to begin. It ends when nobody is left who could ask.
"""

from __future__ import annotations

import gc
import importlib
import os
import socket

import msgspec

from postroad.cli.serve import serve
from postroad.runtime.children import apart, appear_as
from postroad.runtime.leaving import leave

# What two services or more import besides. It must start no thread, and keep nothing that is of
# one process (its id, say).
SHARED = (
    *("duckdb", "nats.micro", "postroad.mail.footer", "postroad.mail.munge"),
    "postroad.runtime.httplistener",
)
REQUEST = 64 << 10  # octets; a path has 4,096 at most


def main() -> int:
    """Fork until nobody asks any more; in each child, be that service. Returns the exit code."""
    for name in SHARED:
        importlib.import_module(name)
    gc.freeze()  # so that collectors of children leave our pages shared
    with socket.socket(fileno=os.dup(0)) as requests:
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.close(null)
        words = _forked(requests, os.getppid())
    return serve(words) if words else 0


def _forked(requests: socket.socket, supervisor: int) -> list[str]:
    """Fork for every request. Returns in each child, with what is asked of it; in the nursery
    with nothing, when it is over."""
    while True:
        asked, files, *_ = socket.recv_fds(requests, REQUEST, 2)
        if not asked:
            return []
        told, tells = os.pipe()
        if between := os.fork():
            os.close(tells)
            os.waitpid(between, 0)  # from here on its child is the supervisor's
            requests.send(os.read(told, 16))  # nothing, where there is none
            for file in (told, *files):
                os.close(file)
            continue
        if born := os.fork():
            os.write(tells, b"%d" % born)
            os._exit(0)
        requests.close()
        os.close(told)
        os.close(tells)
        output, go = files
        begins = os.read(go, 1)
        apart()
        if not begins or os.getppid() != supervisor:
            os._exit(0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.close(output)
        os.close(go)
        words = msgspec.json.decode(asked, type=list[str])
        appear_as(words)
        return words[words.index("-m") + 2 :]


if __name__ == "__main__":
    leave(main())
