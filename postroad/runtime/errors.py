"""Three families of failure, in one place.

`Retry`   the world is not ready: try again later, nothing is lost
`Reject`  this message can never work: end it, record why
Bug       any other exception: park the message in DEADLETTER and raise the alarm

and what a person sees: `PostroadError` and its exit code.
"""

from __future__ import annotations


class PostroadError(Exception):
    """One clear line for a person: what is wrong, and how to mend it. Exit code 1."""

    exit_code = 1


class SettingsError(PostroadError):
    """The settings are wrong; nothing was started. Exit code 2."""

    exit_code = 2


class UsageError(PostroadError):
    """The command line or its input is wrong; nothing was changed. Exit code 2."""

    exit_code = 2


class WentBack(PostroadError):
    """A stream has other messages, or none, where it was followed up to `position`: its broker gave
    out what it never wrote. Whoever folded those has to begin anew."""

    def __init__(self, stream: str, position: int) -> None:
        super().__init__(
            f"the stream {stream} went back: what was read of it up to {position} is not all there "
            "any more, as after a full disk; it is read anew"
        )
        self.stream = stream
        self.position = position


class Retry(Exception):
    """Give the message back and see it again after `delay` seconds."""

    def __init__(self, reason: str, delay: float = 1.0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.delay = delay


class Reject(Exception):
    """End the message for good and record the reason in DEADLETTER."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Superseded(Exception):
    """Another worker has this message now: say nothing of it and do nothing more."""


class Conflict(Exception):
    """A publish expected another last sequence: somebody was faster, or it was done before."""


class Busy(Retry):
    """Nothing is wrong, and it is not this message's turn."""


class Paused(Retry):
    """Something is wrong, and whoever found out has told it."""


class Full(Retry):
    """A limit of ours lasts for `left` seconds, unless somebody raises it: look again sooner."""

    def __init__(self, reason: str, delay: float, left: float) -> None:
        super().__init__(reason, delay)
        self.left = left


class BrokerUnavailable(Retry):
    """The broker did not store a message in time; it may or may not have it."""


class NoRoom(BrokerUnavailable):
    """Its disk is full, or the stream has all that it may: somebody has to make room."""
