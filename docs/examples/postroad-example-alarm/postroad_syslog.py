"""An alarm handler: a line in the system log for each alarm, and for each that is over."""

from __future__ import annotations

import syslog

from postroad.alarms import Notice


def log(notice: Notice) -> None:
    """Called in a thread of its own; whatever it raises has it called again, twice."""
    level = syslog.LOG_ALERT if notice.state == "raised" else syslog.LOG_NOTICE
    syslog.syslog(level, line(notice))


def line(notice: Notice) -> str:
    """What is logged: `postroad relay RAISED relay out: over its quota (see ...)`."""
    page = f" (see {notice.page})" if notice.page and notice.state == "raised" else ""
    return f"postroad {notice.alarm} {notice.state.upper()} {notice.text}{page}"
