"""Alarms: what a person must mend is found, told once, and told again when it is well.

One process tells: the service `monitor`, which looks at the whole every few seconds. What raises
an alarm is the table of `table`, and nothing else. While no monitor is at work the supervisor
stands in for it (`watch`), so that nobody is silent because the watchman is ill (ADR 26).

    table      what raises an alarm (pure)
    sights     what each of its lines looks at (pure)
    standing   what is told of it, and when (pure)
    book       what was told, kept in a file: a restart repeats nothing
    telling    by a command, a webhook, handlers of one's own
    watch      the four together
"""
