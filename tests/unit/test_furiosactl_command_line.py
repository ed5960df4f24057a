"""furiosactl's words: what is understood, what is refused, and the help."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from furiosa_npu import __version__
from furiosa_npu.furiosactl.__main__ import run
from furiosa_npu.furiosactl.command_line import COMMANDS, Command, UsageError, parse
from furiosa_npu.furiosactl.help_text import COMMAND_HELP
from furiosa_npu.furiosactl.output import Output
from furiosa_npu.hardware.reading import Roots

OPTIONS = "--devfs-root, --sysfs-root, --format, --help, -h, --version, --full"
DOCUMENTED_HELP = """\
furiosactl controls the FURIOSA NPU.

Find more information at: https://furiosa.ai/

Basic Commands:
  version    Print the furiosactl version information
  list       Display NPU device list
  info       Show information one or many NPU(s)
  config     Get/Set configuration for NPU environment

Usage:
  furiosactl COMMAND
"""


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["help"], ["--devfs-root=/nowhere"]])
def test_help_is_the_documents_byte_for_byte(arguments: list[str]) -> None:
    """Without a command and with --help, exit code 0."""
    assert run(arguments, {}) == Output(DOCUMENTED_HELP)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_its_help(name: str) -> None:
    """Before or after the command, whatever else stands there; it names the command."""
    texts = {run(words, {}) for words in ([name, "--help"], ["--help", name], [name, "x", "-h"], ["help", name])}
    assert texts == {Output(COMMAND_HELP[name])}
    assert f"furiosactl {name}" in COMMAND_HELP[name]


def test_the_help_of_config_names_every_key_with_its_values() -> None:
    """Nobody has to guess what the driver takes."""
    keys = COMMAND_HELP["config"].partition("Keys and values:\n")[2].partition("\n\n")[0]
    assert keys.splitlines() == [
        "  warboy    performance_mode   0 low, 1 half, 2 normal 1, 3 normal 2, 4 full 1, 5 full 2",
        "  warboy    performance_level  0 to 15 (write only)",
        "  warboy    device_led         0 to 7: red 1, green 2, blue 4, added up (write only)",
        "  warboy    ne_clock           a number that the driver knows (write only)",
        "  warboy    ne_dtm_policy      0 conservative, 1 on demand (write only)",
        "  renegade  npu_governor       performance or powersave",
    ]


@pytest.mark.parametrize("arguments", [["version"], ["--version"], ["info", "--version"]])
def test_version_says_name_and_version(arguments: list[str]) -> None:
    """As a command and, everywhere, as an option."""
    assert run(arguments, {}) == Output(f"furiosactl {__version__}\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--devfs-root", "/a", "info", "--sysfs-root=/b", "npu0", "--full"],
        ["--full", "info", "--devfs-root=/a", "npu0", "--sysfs-root", "/b"],
        ["--full", "--devfs-root=/x", "--devfs-root=/a", "--sysfs-root=/b", "--", "info", "npu0"],
    ],
)
def test_options_stand_before_or_after_the_command(arguments: list[str]) -> None:
    """They win over the environment; of an option given twice the last value counts."""
    environment = {"FURIOSA_DEVFS_ROOT": "/x", "FURIOSA_SYSFS_ROOT": "/y"}
    expected = Command("info", ("npu0",), Roots("/a", "/b"), "table", full=True)
    assert parse(arguments, environment) == expected


def test_the_environment_names_roots_and_the_host_is_the_default() -> None:
    """As the agents' do; an empty variable is none."""
    assert parse(["info"], {"FURIOSA_DEVFS_ROOT": "", "FURIOSA_SYSFS_ROOT": "/y"}).roots == Roots("/dev", "/y")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["frob"], "unknown command frob, expected one of version, list, info, config"),
        (["frob", "--help"], "unknown command frob, expected one of version, list, info, config"),
        (["-"], "unknown command -, expected one of version, list, info, config"),
        (["--frob"], f"unknown option --frob, expected one of {OPTIONS}"),
        (["info", "-x=1"], f"unknown option -x, expected one of {OPTIONS}"),
        (["info", "--full=yes"], "--full: found a value after it, expected none"),
        (["info", "--format", "xml"], "--format: found xml, expected table, json, yaml"),
        (["info", "--format"], "--format: found nothing after it, expected a value"),
        (["info", "--devfs-root="], "--devfs-root: found nothing after it, expected a value"),
        (["list", "--full"], "--full: found with list, expected with info"),
        (["config", "get", "--format=json"], "--format: found with config, expected with list or info"),
        (["version", "info"], "version: found info, expected no more words"),
        (["help", "frob"], "help: found frob, expected one of version, list, info, config"),
    ],
)
def test_wrong_words_are_named_with_what_was_expected(arguments: list[str], message: str) -> None:
    """Exit code 2, nothing on standard output; what makes no sense is refused, not ignored."""
    assert run(arguments, {}) == Output("", (message,), 2)


WORDS = st.sampled_from(
    [*COMMANDS, "help", "-", "--", "--help", "-h", "--version", "--full", "--format", "--format=json", "npu0", "", "-é"]
) | st.text(st.characters(max_codepoint=0xDCFF), max_size=6)


@given(st.lists(WORDS, max_size=6))
def test_any_words_are_a_command_or_wrong_use(words: list[str]) -> None:
    """Bytes that are no UTF-8, empty words, options without a value: no other exception."""
    try:
        name = parse(words, {}).name
    except UsageError:
        return
    assert name in (*COMMANDS, "help")
