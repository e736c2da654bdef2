"""Logs: one line an event to stderr, readable on a terminal and JSON elsewhere.

No address, token or secret belongs in a log line: log ids and sequences.
"""

from __future__ import annotations

import logging
import os
import sys

import structlog

from postroad.runtime.errors import SettingsError

LEVELS = ("debug", "info", "warning", "error", "critical")


def configure(service: str, least: str = "info") -> None:
    """Set up logging for this process. POSTROAD_LOG overrides the least level. Raises
    SettingsError where it names none of `LEVELS`."""
    wanted = os.environ.get("POSTROAD_LOG", least).lower()
    if wanted not in LEVELS:
        raise SettingsError(f"POSTROAD_LOG={wanted}: must be one of {', '.join(LEVELS)}")
    level = getattr(logging, wanted.upper())
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer()
        if sys.stderr.isatty()
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    # libraries log addresses and whole protocol lines; only their cries for help pass
    logging.basicConfig(level=logging.CRITICAL, stream=sys.stderr)
