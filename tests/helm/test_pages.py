"""What the documents tell to Helm, and name of what it makes, is there."""

import re
import shlex

import pytest

from tests.docs.markdown import REPOSITORY, shown, spans
from tests.helm.rendering import NEWEST, objects, template

PAGES = sorted((REPOSITORY / "docs").glob("**/*.md"))
COMMANDS = sorted({command for page in PAGES for command in shown(page)})
SETS = sorted({found for page in PAGES for span in spans(page) for found in re.findall(r"--set[= ]\S*[\w\]}]", span)})
KINDS = {"ds": "DaemonSet", "daemonset": "DaemonSet", "job": "Job", "clusterrole": "ClusterRole"}
OF_THE_VENDOR = {("DaemonSet", "furiosa-device-plugin"), ("DaemonSet", "furiosa-npu-feature-discovery")}


@pytest.mark.parametrize("options", [[found] for found in SETS], ids=str)
def test_a_value_of_a_page_is_one_that_the_chart_takes(options: list[str]) -> None:
    """With the plane that it goes with."""
    told = re.sub("^--set[= ]", "--set=", options[0])
    assert objects(template(*NEWEST, "--set=plane=device-plugin", told))


def named(command: str) -> set[tuple[str, str]]:
    """Kind and name of our objects: `ds/NAME`, `job NAME NAME`."""
    words = [word for word in shlex.split(command) if word not in {"-n", "kube-system"}]
    found = {(kind, name) for kind, slash, name in (word.partition("/") for word in words) if slash}
    for place, word in enumerate(words):
        if word in KINDS:
            found |= {(word, name) for name in words[place + 1 :] if name.startswith("furiosa-")}
    return {(KINDS[kind], name) for kind, name in found if kind in KINDS}


def test_what_a_command_names_is_what_the_chart_makes() -> None:
    """By kind and name, of either plane, hooks too."""
    made = {
        (one["kind"], one["metadata"]["name"])
        for plane in ("device-plugin", "dra")
        for one in objects(template(*NEWEST, f"--set=plane={plane}"))
    }
    told = {one for command in COMMANDS if command.startswith("kubectl ") for one in named(command)}
    assert told - made == OF_THE_VENDOR
    assert {("DaemonSet", "furiosa-npu-plugin"), ("Job", "furiosa-npu-sweep-cluster")} <= told
