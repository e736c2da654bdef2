"""Logs: one line an event to stderr, readable on a terminal and JSON elsewhere.

No address, token or secret belongs in a log line: log ids and sequences.
"""

from __future__ import annotations

import logging
import os
import sys

import structlog


def configure(service: str, least: str = "info") -> None:
    """Set up logging for this process. POSTROAD_LOG overrides the least level: debug, info, ..."""
    level = getattr(logging, os.environ.get("POSTROAD_LOG", least).upper(), logging.INFO)
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
