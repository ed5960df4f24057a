"""What holds for all tests."""

import os

from hypothesis import settings

settings.register_profile("ci", derandomize=True)
if os.environ.get("CI") == "true":
    # The same examples for the same code on each machine; by hand each run tries others.
    settings.load_profile("ci")
