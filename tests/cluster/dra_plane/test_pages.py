"""Commands that the documents' pages have for the DRA plane, typed as they stand there."""

import re
from functools import partial

from tests.cluster.dra import DraProduct
from tests.cluster.dra_plane.newest import ONLY_1_37
from tests.cluster.pages import ASK_AGAIN, DRA_LOOKS
from tests.cluster.pods import ALPHA, npu_pod
from tests.cluster.typed import typed
from tests.cluster.workloads import Workloads

pytestmark = ONLY_1_37

NODE = "warboy-node01"


def test_what_a_page_has_for_the_dra_plane_shows_it(dra: DraProduct, workloads: Workloads) -> None:
    """Slices of each node, a line for each card and part of it, the claim with its device files."""
    workloads.run(npu_pod("npu-pod", {ALPHA: 1}, NODE))
    meant = {"NODE": NODE, "POD": dra.driver(NODE)}
    for command, shown in DRA_LOOKS.items():
        dra.cluster.wait(f"{command!r} to show {shown!r}", partial(shows, dra, command, shown, meant))
    for command in (*ASK_AGAIN, *ASK_AGAIN):
        assert typed(dra.cluster, command, POD="npu-pod") == "pod/npu-pod annotated\n"


def shows(dra: DraProduct, command: str, shown: str, meant: dict[str, str]) -> bool:
    return re.search(shown, typed(dra.cluster, command, **meant), re.MULTILINE) is not None
