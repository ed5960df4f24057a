"""Tests that are coroutines run as those of tests/protocol do, in folders with paths as short."""

from tests.protocol.conftest import folder, pytest_pyfunc_call

__all__ = ["folder", "pytest_pyfunc_call"]
