"""What takes minutes, or a disk of its own, is not even looked at but by `make chaos`."""

import os

LONG = [
    "test_a_real_mailman.py",
    "test_all_read_again_days_later.py",
    "test_clock_steps.py",
    "test_disk_full.py",
    "test_power_cut.py",
    "test_services_hang.py",
    "test_the_runbook_for_disk_and_broker.py",
    "test_the_runbook_for_mail.py",
    "test_the_runbook_for_the_machine.py",
]
collect_ignore = [] if os.environ.get("POSTROAD_CHAOS") == "all" else LONG
