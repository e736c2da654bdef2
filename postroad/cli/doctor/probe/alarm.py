"""Who is told of alarms, and whether a test alarm reaches them."""

from __future__ import annotations

from postroad.alarms import Notice
from postroad.cli.doctor.finding import Finding
from postroad.cli.doctor.judge.alarm import alarm
from postroad.runtime.alarms.telling import Telling
from postroad.runtime.clock import now
from postroad.runtime.errors import SettingsError
from postroad.runtime.settings import Alarm
from postroad.runtime.settings_checks import warn_alarm


async def examine_alarm(settings: Alarm, *, send: bool) -> Finding:
    """What is wrong with [alarm]; with `send` everybody is told a test alarm, once."""
    problems = [*warn_alarm(settings)]
    ways = bool(settings.command) + bool(settings.webhook) + len(settings.handlers)
    told = None
    try:
        people = Telling(settings)
    except SettingsError as error:
        problems.append(str(error))
    else:
        if send and not problems:
            told = await people.once(_test())
    return alarm(ways, problems, told)


def _test() -> Notice:
    return Notice(
        state="raised",
        alarm="test",
        kind="alarm",
        name="test",
        text="alarm test: postroad doctor asked for this, and nothing is wrong",
        time=now().isoformat(timespec="seconds"),
        page="docs/operators/alarm.md",
    )
