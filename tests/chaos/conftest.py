"""What takes minutes of installing is not even looked at but by `make chaos`."""

import os

collect_ignore = [] if os.environ.get("POSTROAD_CHAOS") == "all" else ["test_a_real_mailman.py"]
