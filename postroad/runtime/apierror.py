"""What the broker answers to a publish or an API call, and how it says no."""

from __future__ import annotations

import msgspec

from postroad.runtime.errors import PostroadError
from schemas import subjects

CONFLICTS = (10071, 10164)  # the second: another write to the subject is in flight (R3)
NO_ROOM = (10002, 10023, 10047, 10077)  # of an account, a cluster, a server, a stream or disk
NO_STREAM = 10059
PASSING = (10176,)  # an atomic batch that was abandoned, by us or a restarted server

_STREAMS = frozenset(stream.name for stream in subjects.STREAMS)


class Refusal(msgspec.Struct):
    """`error` of an answer (server/errors.json): `err_code` is the precise one."""

    code: int = 0
    err_code: int = 0
    description: str = ""


class Ack(msgspec.Struct):
    """The answer to a publish."""

    seq: int = 0
    error: Refusal | None = None


decode_ack = msgspec.json.Decoder(Ack).decode


class ApiError(PostroadError):
    """The broker refused a JetStream call."""

    def __init__(self, subject: str, error: Refusal) -> None:
        told = f"the broker refused {subject}: {error.description} ({error.err_code})"
        if error.err_code == NO_STREAM:
            gone = next((word for word in subject.split(".") if word in _STREAMS), "it asked for")
            told = f"the stream {gone} is gone; postroad status says what helps ({told})"
        super().__init__(told)
        self.err_code = error.err_code
        self.code = error.code
