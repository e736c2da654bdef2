"""What takes minutes, or a disk of its own, is not even looked at but by `make chaos`."""

import os

LONG = [
    "test_a_real_mailman.py",
    "test_all_read_again_days_later.py",
    "test_clock_steps.py",
    "test_disk_full.py",
    "test_power_cut.py",
    "test_services_hang.py",
]
collect_ignore = [] if os.environ.get("POSTROAD_CHAOS") == "all" else LONG
