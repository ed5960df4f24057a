"""Settings of an agent: declared once, taken from command line, environment, file and defaults in that order."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from furiosa_npu.agent.settings import (
    Address,
    Invocation,
    Option,
    Origin,
    Program,
    SettingsError,
    Subcommand,
    Value,
    common_options,
    config_text,
    load,
    read_config,
    resolve,
)

OPTIONS = (
    Option("devfs-root", "string", "/dev", "Folder of device files.", ("FURIOSA_DEVFS_ROOT",)),
    Option("node-name", "string", None, "The node.", ("NODE_NAME", "K8S_NODE_NAME")),
    Option("rescan-seconds", "int", 60, "Seconds between two looks.", minimum=1, maximum=3600),
    Option("probe", "bool", False, "Whether to probe."),
    Option("disable", "list", (), "Cards to leave out."),
    Option("log-format", "choice", "text", "Form of the log.", choices=("text", "json")),
    Option("listen-address", "host:port", Address("", 6255), "Where probes are answered."),
    Option("hwtype", "string", None, "A label value.", accepts=str.isalnum, expected="letters and digits"),
)

PROGRAM = Program("agent", "1.2.3", "Does its work.", OPTIONS, (Subcommand("cleanup", "Takes it back."),))

DEFAULTS: dict[str, Value] = {option.field: option.default for option in OPTIONS}


def _nested_aliases(levels: int) -> str:
    """A list of nine lists that are one, and so on: a kilobyte that stands for 9 ** `levels` texts."""
    flow = "x"
    for level in range(levels):
        flow = f"[&l{level} {flow}" + f", *l{level}" * 8 + "]"
    return f"disable: {flow}"


class Settings(NamedTuple):
    """What an agent would declare."""

    devfs_root: str
    node_name: str | None
    rescan_seconds: int
    probe: bool
    disable: tuple[str, ...]
    log_format: str
    listen_address: Address | None
    hwtype: str | None


def _values(*arguments: str, environment: Mapping[str, str] | None = None, file: str = "") -> dict[str, Value]:
    return resolve(PROGRAM, arguments, environment or {}, lambda path: file).values


def test_without_anything_the_defaults_stand() -> None:
    """Each option has its default and says so."""
    resolved = resolve(PROGRAM, (), {}, lambda path: "")
    assert (resolved.subcommand, resolved.values) == (None, DEFAULTS)
    assert set(resolved.origins.values()) == {"default"}


def test_command_line_wins_over_environment_over_file_over_default() -> None:
    """The nearer source to the person who starts the agent wins."""
    file = "devfsRoot: /file\nnodeName: file\nrescanSeconds: 5\n"
    environment = {"FURIOSA_DEVFS_ROOT": "/env", "NODE_NAME": "env"}
    arguments = ("--devfs-root", "/line", "--config", "c.yaml")
    resolved = resolve(PROGRAM, arguments, environment, lambda path: file)
    expected = DEFAULTS | {"devfs_root": "/line", "node_name": "env", "rescan_seconds": 5}
    assert resolved.values == expected
    assert [resolved.origins[field] for field in ("devfs_root", "node_name", "rescan_seconds", "probe")] == [
        "command line",
        "environment",
        "config file",
        "default",
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        ("cleanup", "--devfs-root", "/x"),
        ("--devfs-root", "/x", "cleanup"),
        ("--devfs-root=/x", "cleanup"),
    ],
)
def test_options_stand_before_or_after_the_subcommand(arguments: tuple[str, ...]) -> None:
    """Where an option stands makes no difference."""
    resolved = resolve(PROGRAM, arguments, {}, lambda path: "")
    assert (resolved.subcommand, resolved.values) == ("cleanup", DEFAULTS | {"devfs_root": "/x"})


def test_each_kind_has_its_type() -> None:
    """Texts become numbers, truth values, tuples and addresses."""
    arguments = ("--rescan-seconds", "7", "--probe=on", "--disable", "a", "--disable=b,c", "--log-format=json")
    expected = {"rescan_seconds": 7, "probe": True, "disable": ("a", "b", "c"), "log_format": "json"}
    assert _values(*arguments, "--listen-address=[::1]:80") == DEFAULTS | expected | {
        "listen_address": Address("::1", 80)
    }


def test_of_an_option_given_twice_the_last_one_counts() -> None:
    """A manifest's arguments are overridden by adding to their end; a list adds up."""
    assert _values("--rescan-seconds=1", "--rescan-seconds=2")["rescan_seconds"] == 2


def test_an_empty_listen_address_means_none() -> None:
    """Empty switches the listener off, on the command line and in the file."""
    assert _values("--listen-address", "")["listen_address"] is None
    assert _values("--config=c", file="listenAddress: ''")["listen_address"] is None


def test_an_empty_environment_variable_is_as_if_not_set() -> None:
    """A manifest that leaves a variable empty does not take the default away; the older name serves in its place."""
    environment = {"FURIOSA_DEVFS_ROOT": "", "NODE_NAME": "", "K8S_NODE_NAME": "old"}
    assert _values(environment=environment) == DEFAULTS | {"node_name": "old"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--devfs",), "--devfs: unknown option; agent --help lists the options"),
        (("-x",), "-x: unknown option; agent --help lists the options"),
        (("-config", "x"), "-config: unknown option; agent --help lists the options"),
        (("remove",), "found the word 'remove', expected cleanup or an option"),
        (("cleanup", "cleanup"), "found the word 'cleanup', expected nothing after it"),
        (("--node-name",), "--node-name: found nothing after it, expected a value (--node-name=VALUE takes any)"),
        (
            ("--node-name", "--probe"),
            "--node-name: found the option --probe after it, expected a value (--node-name=VALUE takes any)",
        ),
        (("--rescan-seconds=0",), "--rescan-seconds: found '0', expected a whole number from 1 to 3600"),
        (("--rescan-seconds=1.5",), "--rescan-seconds: found '1.5', expected a whole number from 1 to 3600"),
        (("--probe=yes",), "--probe: found 'yes', expected on or off"),
        (("--log-format=xml",), "--log-format: found 'xml', expected text or json"),
        (("--devfs-root=",), "--devfs-root: found an empty text, expected a text"),
        (("--disable=",), "--disable: found an empty text, expected a list of texts"),
        (("--hwtype=a b",), "--hwtype: found 'a b', expected letters and digits"),
        (("--config=",), "--config: found an empty text, expected the path of a YAML file"),
    ],
)
def test_wrong_use_names_the_option_what_was_found_and_what_was_expected(
    arguments: tuple[str, ...], message: str
) -> None:
    """One sentence, with which a person can mend the command."""
    with pytest.raises(SettingsError) as caught:
        _values(*arguments)
    assert str(caught.value) == message


def test_a_wrong_environment_variable_is_named() -> None:
    """The error says that the variable, not the command line, is wrong."""
    program = PROGRAM._replace(options=(Option("rescan-seconds", "int", 60, "", ("RESCAN",)),))
    with pytest.raises(SettingsError) as caught:
        resolve(program, (), {"RESCAN": "soon"}, lambda path: "")
    assert str(caught.value) == "environment variable RESCAN: found 'soon', expected a whole number"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rescanSecond: 1", "f.yaml: found the unknown key 'rescanSecond', expected one of "),
        ("rescan-seconds: 1", "f.yaml: found the unknown key 'rescan-seconds', expected one of "),
        ("1: 1", "f.yaml: found the unknown key 1, expected one of "),
        ("rescanSeconds: '1'", "f.yaml: rescanSeconds: found the text '1', expected a whole number from 1 to 3600"),
        ("rescanSeconds: 0", "f.yaml: rescanSeconds: found the number 0, expected a whole number from 1 to 3600"),
        ("rescanSeconds: yes", "f.yaml: rescanSeconds: found the truth value on, expected a whole number from 1"),
        ("probe: 1", "f.yaml: probe: found the number 1, expected on or off"),
        ("disable: npu0", "f.yaml: disable: found the text 'npu0', expected a list of texts"),
        ("disable: [1]", "f.yaml: disable: found the number 1 in the list, expected a text that is not empty"),
        ("disable: [a, '']", "f.yaml: disable: found the text '' in the list, expected a text that is not empty"),
        ("disable:", "f.yaml: disable: found nothing (null), expected a list of texts"),
        ("nodeName: {a: 1}", "f.yaml: nodeName: found a mapping, expected a text"),
        ("nodeName: 7", "f.yaml: nodeName: found the number 7, expected a text"),
        ("probe: on\nprobe: off", "f.yaml: found the key 'probe' twice, expected it once"),
        ("[a]", "f.yaml: found a list, expected a mapping of options in camelCase"),
        ("a: [", "f.yaml: found what is no YAML (while parsing"),
        ("? [a]\n: 1", "f.yaml: found what is no YAML (while constructing"),
        ("probe: !!bool x", "f.yaml: found what is no YAML ("),
        ("rescanSeconds: !!int ''", "f.yaml: found what is no YAML ("),
        ("nodeName: !!timestamp x", "f.yaml: found what is no YAML ("),
        ("disable: &a [*a]", "f.yaml: found an alias (*name), expected none"),
        (_nested_aliases(20), "f.yaml: found an alias (*name), expected none"),
    ],
)
def test_a_wrong_file_is_refused_with_file_key_found_and_expected(text: str, message: str) -> None:
    """A mistake in the file is an error, never passed over."""
    with pytest.raises(SettingsError) as caught:
        read_config(text, OPTIONS, "f.yaml")
    assert str(caught.value).startswith(message)


def test_the_file_takes_the_long_options_in_camel_case() -> None:
    """What the file does not say is not in the answer."""
    text = "rescanSeconds: 5\nprobe: on\ndisable: [a, b]\nlistenAddress: ':1'\nlogFormat: json\n"
    assert read_config(text, OPTIONS) == {
        "rescan_seconds": 5,
        "probe": True,
        "disable": ("a", "b"),
        "listen_address": Address("", 1),
        "log_format": "json",
    }
    assert read_config("# nothing yet\n", OPTIONS) == {}


@given(st.text(max_size=60))
def test_no_file_breaks_the_reader(text: str) -> None:
    """Any text is read or refused in one sentence that names the file."""
    values: dict[str, Value] = {}
    refusal = "f.yaml: "
    try:
        values = read_config(text, OPTIONS, "f.yaml")
    except SettingsError as error:
        refusal = str(error)
    assert refusal.startswith("f.yaml: ")
    assert set(values) <= set(DEFAULTS)


@given(st.lists(st.sampled_from(["cleanup", "--probe", "on", "--disable=a", "--node-name", "", "-", "--", "--=x"])))
def test_no_command_line_breaks_the_parser(words: list[str]) -> None:
    """Any words are understood or refused."""
    values = DEFAULTS
    refusal = "found"
    try:
        values = _values(*words)
    except SettingsError as error:
        refusal = str(error)
    assert "found" in refusal or "unknown option" in refusal
    assert set(values) == set(DEFAULTS)


def _unreadable(folder: Path, what: str) -> Path:
    path = folder / "a.yaml"
    match what:
        case "a pipe":
            os.mkfifo(path)
        case "a folder":
            path.mkdir()
        case "bytes":
            path.write_bytes(b"disable: [\xff]")
    return path


@pytest.mark.parametrize(
    ("what", "found"),
    [
        ("nothing", "No such file or directory"),
        ("a folder", "Is a directory"),
        ("a pipe", "something other than a regular file"),
        ("bytes", "bytes that are no UTF-8"),
    ],
)
def test_a_config_file_that_cannot_be_read_is_named(tmp_path: Path, what: str, found: str) -> None:
    """With the kernel's reason; a pipe, whose writer may never come, is not waited for."""
    path = _unreadable(tmp_path, what)
    with pytest.raises(SettingsError) as caught:
        resolve(PROGRAM, ("--config", str(path)), {}, config_text)
    assert str(caught.value) == f"--config {path}: found {found}, expected a readable YAML file"


def test_load_gives_the_agents_own_settings_object() -> None:
    """Each option lands in the field of its name."""
    invocation = load(PROGRAM, Settings, ("cleanup", "--node-name=n"), {})
    settings = Settings("/dev", "n", 60, False, (), "text", Address("", 6255), None)
    origins: dict[str, Origin] = {option.field: "default" for option in OPTIONS}
    origins["node_name"] = "command line"
    assert invocation == Invocation("cleanup", settings, origins, None)


def test_version_and_help_are_answered_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    """Both end the process at once; the help names every option with variable, key and default."""
    for word in ("--version", "--help"):
        with pytest.raises(SystemExit) as caught:
            load(PROGRAM, Settings, ("--rescan-seconds=0", word)[1:], {})
        assert caught.value.code == 0
    out = capsys.readouterr().out
    assert (
        out
        == """agent 1.2.3
Usage: agent [OPTIONS] [cleanup]

Does its work.

Subcommands:
  cleanup
      Takes it back.

Options:
  --devfs-root TEXT
      Folder of device files.
      default: /dev; environment: FURIOSA_DEVFS_ROOT; in the file: devfsRoot
  --node-name TEXT
      The node.
      default: none; environment: NODE_NAME, else K8S_NODE_NAME; in the file: nodeName
  --rescan-seconds NUMBER
      Seconds between two looks.
      default: 60; in the file: rescanSeconds
  --probe on|off
      Whether to probe.
      default: off; in the file: probe
  --disable TEXT
      Cards to leave out.
      default: none; in the file: disable; may be given several times
  --log-format text|json
      Form of the log.
      default: text; in the file: logFormat
  --listen-address HOST:PORT
      Where probes are answered.
      default: :6255; in the file: listenAddress
  --hwtype TEXT
      A label value.
      default: none; in the file: hwtype
  --config FILE
      YAML file with the same options in camelCase; command line and environment win over it.
  --help, --version
"""
    )


def test_wrong_use_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    """The program's name stands before the one sentence on stderr."""
    with pytest.raises(SystemExit) as caught:
        load(PROGRAM, Settings, ("--nope",), {})
    assert caught.value.code == 2
    assert capsys.readouterr().err == "agent: --nope: unknown option; agent --help lists the options\n"


def test_all_agents_share_the_common_options() -> None:
    """The names that manifests and people rely on."""
    names = [option.name for option in common_options(Address("", 6256))]
    assert names == [
        "devfs-root",
        "sysfs-root",
        "node-name",
        "kubeconfig",
        "start-jitter-seconds",
        "log-format",
        "log-level",
        "listen-address",
    ]
