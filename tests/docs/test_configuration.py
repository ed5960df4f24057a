"""docs/configuration.md says what the code takes and shows."""

import re

from furiosa_npu.agent.config_file import read_config
from furiosa_npu.device_plugin.settings import PROGRAM
from tests.docs.configuration import DOCUMENT, rendered


def test_the_tables_are_the_codes() -> None:
    """Options and metrics; `python -m tests.docs.configuration` writes the rows anew."""
    document = DOCUMENT.read_text(encoding="utf-8")
    assert document == rendered(document)


def test_the_example_file_is_one_that_the_plugin_takes() -> None:
    """Every key known, every value of the right type."""
    example = re.search(r"```yaml\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    assert example is not None
    assert read_config(example[1], PROGRAM.options) == {
        "family": "warboy",
        "default_pe": "single",
        "log_format": "json",
        "unknown_occupancy": "withhold",
        "disable": ("A76AAD68-6855-40B1-9E86-D080852D1C84", "0000:6d:00.0"),
    }
