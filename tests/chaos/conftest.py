"""What takes minutes is not even looked at but by `make chaos`."""

import os

LONG = ["test_a_real_mailman.py", "test_all_read_again_days_later.py"]
collect_ignore = [] if os.environ.get("POSTROAD_CHAOS") == "all" else LONG
