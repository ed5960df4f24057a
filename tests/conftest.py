"""What holds for all tests."""

import os

from hypothesis import HealthCheck, settings

untimed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", untimed, derandomize=True)
settings.register_profile("by hand", untimed)
# The same examples for the same code on each machine; by hand each run tries others. None is timed.
settings.load_profile("ci" if os.environ.get("CI") == "true" else "by hand")
