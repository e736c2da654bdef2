"""Commands to membership: a question over NATS micro, an answer, or one line of refusal."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
from collections.abc import Mapping, Sequence

import msgspec
from nats.errors import NoRespondersError

from postroad.runtime.broker import Broker
from postroad.runtime.errors import PostroadError, Retry, UsageError
from schemas import subjects
from schemas.commands import Answer, Change, Code, Command

ANSWER_SECONDS = 15.0  # 1,000 imported rows take 0.1 s; a roster that catches up takes longer
HEADERS = 4_096  # octets that a request has besides
ABSENT_SECONDS = 5.0  # how long membership may be away, as when it is just restarted
USAGE: Sequence[Code] = ("bad_address", "bad_setting", "bad_request")


class Unanswered(PostroadError):
    """Membership took a request, and was not heard of it."""


_answer = msgspec.json.Decoder(Answer)


async def ask(broker: Broker, name: str, request: Command) -> Answer:
    """Have membership carry out a command. Raises PostroadError where it refuses (UsageError
    where the input is at fault) or does not answer."""
    answer = await attempt(broker, name, request)
    if answer.refused:
        raise refusal(answer)
    return answer


async def attempt(
    broker: Broker, name: str, request: Command, *, seconds: float = ANSWER_SECONDS
) -> Answer:
    """The same, but a refusal is an answer too. A change says who asks for it. Raises Unanswered
    where an answer may have been lost."""
    if isinstance(request, Change):
        request = msgspec.structs.replace(request, by=login())
    data = msgspec.json.encode(request)
    if len(data) + HEADERS > broker.nc.max_payload:
        raise UsageError(
            f"this is {len(data) // 1024:,} KB, more than the {broker.nc.max_payload // 1024:,} KB "
            "that one command may have; give less at once"
        )
    deadline = asyncio.get_running_loop().time() + ABSENT_SECONDS
    while True:
        late = asyncio.get_running_loop().time() > deadline
        try:
            reply = await broker.request(subjects.command(name), data, timeout=seconds)
        except Retry as error:
            if not isinstance(error.__cause__, NoRespondersError):
                raise Unanswered(
                    "membership did not answer in time; look whether the command was carried out, "
                    "then give it again: it is never carried out twice"
                ) from error
            if late:
                raise PostroadError(
                    "membership does not answer; start Postroad with `postroad up`"
                ) from error
        else:
            answer = _answer.decode(reply)
            if late or answer.code != "unavailable":
                return answer
        await asyncio.sleep(0.05)


def refusal(answer: Answer) -> PostroadError:
    """What to raise for an answer that refuses."""
    return (UsageError if answer.code in USAGE else PostroadError)(answer.refused)


def login() -> str:
    """The login name of whoever gave the command, empty where there is none."""
    with contextlib.suppress(OSError, KeyError):
        return getpass.getuser()
    return ""


def pairs(words: Sequence[str], *, example: str) -> Mapping[str, str]:
    """Settings as typed, `key=value`; `key+=value` and `key-=value` may be given several times, and
    then have a line each. Raises UsageError for a word without `=` or another key twice."""
    found: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"{word!r} is not of the form key=value, such as {example}")
        key = key.strip()
        if key in found and key[-1] not in "+-":
            raise UsageError(f"{key} is given twice")
        found[key] = f"{found[key]}\n{value}" if key in found else value
    return found
