"""Logs: one line an event to stderr, readable on a terminal and JSON elsewhere. Where a line cannot
be written (a full disk, a reader that is gone) it is lost, and nothing else is.

No address, token or secret belongs in a log line: log ids and sequences. Whatever is logged while a
mail or a command is in hand says of itself in which trace that was (of a mail its id), and at which
list, where that is known: whoever logs need not repeat it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Mapping
from typing import Protocol

import structlog

from postroad.runtime import telemetry
from postroad.runtime.errors import SettingsError

LEVELS = ("debug", "info", "warning", "error", "critical")
FORM = "POSTROAD_LOG_FORM"  # how a supervisor, which reads their stderr, wants lines
TERMINAL, JSON = "terminal", "json"


class Out(Protocol):
    """Where lines go."""

    def write(self, text: str, /) -> object:
        """Take some text."""

    def flush(self) -> object:
        """Let go of it."""


class _Lines:
    """Writes lines, come what may."""

    def __init__(self, out: Out | None) -> None:
        self._out = out

    def msg(self, line: str) -> None:
        out = self._out or sys.stderr
        with contextlib.suppress(OSError, ValueError):  # ValueError: it is closed
            out.write(line + "\n")
            out.flush()

    debug = info = warning = error = critical = msg


def form() -> str:
    """How lines of this process are written: for a TERMINAL, or as JSON."""
    wanted = os.environ.get(FORM, "")
    return wanted if wanted in (TERMINAL, JSON) else TERMINAL if sys.stderr.isatty() else JSON


def configure(service: str, least: str = "info", out: Out | None = None) -> None:
    """Set up logging for this process, to `out`, else stderr. POSTROAD_LOG overrides the least
    level. Raises SettingsError where it names none of `LEVELS`."""
    wanted = os.environ.get("POSTROAD_LOG", least).lower()
    if wanted not in LEVELS:
        raise SettingsError(f"POSTROAD_LOG={wanted}: must be one of {', '.join(LEVELS)}")
    level = getattr(logging, wanted.upper())
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer()
        if form() == TERMINAL
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            _about,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: _Lines(out),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    # libraries log addresses and whole protocol lines; only their cries for help pass
    logging.basicConfig(level=logging.CRITICAL, stream=sys.stderr)


def trace_in(headers: Mapping[str, str] | None) -> dict[str, str]:
    """The trace that a message is of, by its headers, to be logged where no span is open."""
    parts = (headers or {}).get(telemetry.PARENT, "").split("-")
    return {"trace": parts[1]} if len(parts) == 4 else {}


def _about(
    _logger: object, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """The trace of the current span, and the list that it, or one above it, is about."""
    span: telemetry.OpenSpan | None = telemetry.current()
    if span is not None and span.trace:
        event.setdefault("trace", span.trace)
        while span is not None:
            if list_ := span.attributes.get("postroad.list"):
                event.setdefault("list", list_)
                break
            span = span._above  # noqa: SLF001  only here does anybody ask for it
    return event
