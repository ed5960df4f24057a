"""The READMEs' tables and manifests say what the product does."""

import itertools
import re

import yaml

from furiosa_npu.agent.options import Value
from furiosa_npu.allocation.container_edits import container_edits
from furiosa_npu.allocation.ledger import Holding
from furiosa_npu.allocation.pe_form import PE_FORMS
from furiosa_npu.allocation.pool import Unit
from furiosa_npu.demo.pods import parse_pod
from furiosa_npu.demo.story import NPU_POD
from furiosa_npu.device_plugin.settings import PROGRAM as PLUGIN
from furiosa_npu.dra_driver.settings import PROGRAM as DRA_DRIVER
from furiosa_npu.hardware.reading import FAMILIES, Roots, Sensor
from furiosa_npu.health.verdict import Verdict, WarningSign
from furiosa_npu.node_labeller.labels import LABELS
from furiosa_npu.node_labeller.settings import PROGRAM as LABELLER
from furiosa_npu.watch.card_metrics import card_metrics
from furiosa_npu.watch.kubelet_books import PodRef
from furiosa_npu.watch.options import RESOURCES
from tests.docs.markdown import ENGLISH, KOREAN, REPOSITORY, blocks, code, tables
from tests.unit.readings import renegade, warboy

POD_MANIFEST = REPOSITORY / "kubernetes/deployments/npu-pod.yaml"


def _table(first_cell: str) -> list[list[str]]:
    return next(table for table in tables(ENGLISH) if table[0][0] == first_cell)


def test_both_languages_show_the_same_code() -> None:
    """Code blocks are alike, and so is what stands in backticks in each cell of each table."""
    assert blocks(KOREAN) == blocks(ENGLISH)
    pairs = list(zip(tables(ENGLISH), tables(KOREAN), strict=True))
    for english, korean in itertools.chain.from_iterable(zip(*pair, strict=True) for pair in pairs):
        assert [sorted(code(cell)) for cell in korean] == [sorted(code(cell)) for cell in english]


def test_both_languages_have_the_same_sections() -> None:
    """Headings of the same rank in the same order."""
    ranks = [re.findall(r"^#+ ", document.read_text(encoding="utf-8"), re.MULTILINE) for document in (ENGLISH, KOREAN)]
    assert ranks[0] == ranks[1]


def test_the_label_table_names_the_labels() -> None:
    """Names, families and the hardware types of FPGA samples."""
    rows = [[code(cell) for cell in row[:2]] for row in _table("Label")[1:]]
    assert rows == [[[LABELS[0]], list(FAMILIES)], [[LABELS[1]], ["haps", "u250"]]]


def test_the_environment_table_is_what_a_container_gets() -> None:
    """Each row, from the function that makes the answer."""
    header, *rows = _table("NPUs")
    names = [code(cell)[0] for cell in header[1:]]
    cards = {"a Warboy": [warboy(0)], "a Renegade": [renegade(0)], "two Warboys": [warboy(0), warboy(1)]}
    for what, *values in rows:
        which, option = what.removesuffix(")").split(" (")
        form = next(form for form in PE_FORMS if option == f"`--default-pe {form}`")
        edits = container_edits(cards[which], form, Roots("/dev", "/sys"), None)
        assert edits.environment == dict(zip(names, (code(value)[0] for value in values), strict=True))


def test_the_pod_is_the_shipped_one() -> None:
    """README, demo and `npu-pod.yaml` hold one manifest; the other resource name is said beside the first."""
    (shown,) = (block.text for block in blocks(ENGLISH) if block.language == "yaml")
    shipped = POD_MANIFEST.read_text()
    assert yaml.safe_load(shown) == yaml.safe_load(shipped) == yaml.safe_load(NPU_POD)
    assert all(f'{resource}: "1"' in shown for resource in RESOURCES)
    assert parse_pod(shown, "uid").containers[0].limits == {RESOURCES[0]: 1}


def test_the_option_table_is_complete_and_tells_the_defaults() -> None:
    """Each option of both agents but `--help`, `--version` and `--config`; texts and numbers that are defaults."""
    told: dict[str, str] = {}
    for option_cell, default_cell, _ in _table("Option")[1:]:
        options, defaults = code(option_cell), code(default_cell)
        if len(options) > 1:
            assert len(defaults) == len(options)
        told |= dict(zip(options, defaults or [""] * len(options), strict=False))
    declared = {f"--{option.name}": _shown(option.default) for option in (*LABELLER.options, *PLUGIN.options)}
    assert told.keys() == declared.keys()
    addresses = code(next(row[1] for row in _table("Option") if "--listen-address" in row[0]))
    programs = (PLUGIN, LABELLER, DRA_DRIVER)
    listen = [next(o.default for o in program.options if o.name == "listen-address") for program in programs]
    assert addresses == [_shown(address) for address in listen]
    assert told | {"--listen-address": ""} == declared | {"--listen-address": ""}


def _shown(default: Value) -> str:
    if isinstance(default, bool):
        return "on" if default else "off"
    return "" if default in (None, ()) else str(default)


def test_the_metrics_that_name_a_card_by_its_uuid_alone_are_these() -> None:
    """All others that are about a card have its name, too; in both languages."""
    card = warboy(0)._replace(sensors=(Sensor("temp", 1, "PEAK", 40000, None),))
    unit = Unit("U", "U", card, Verdict("idle", "", "", 0.0, (WarningSign("throttling", ""),)))
    held = {Holding(RESOURCES[0], "U"): (PodRef("default", "pod", "app"),)}
    labels = {metric.name: [*metric.samples[0][0]] for metric in card_metrics({"U": unit}, held, {("U", "idle"): 1})}
    nameless = sorted(name for name, of_one in labels.items() if "uuid" in of_one and "name" not in of_one)
    for readme in (ENGLISH, KOREAN):
        assert sorted(re.findall(r"`(furiosa_npu_\w+)`", readme.read_text(encoding="utf-8"))) == nameless
