"""The place of chaos on the DRA plane: the driver in place of the device plugin, DeviceClasses, templates, claims."""

import json
from typing import Any

import yaml

from furiosa_npu.simulator import Simulation
from tests.cluster.chaos.dra_observer import SLICES
from tests.cluster.chaos.dra_plan import SHARED, TEMPLATES
from tests.cluster.chaos.dra_records import NOTHING, PARTS, offered
from tests.cluster.chaos.overlay import is_daemon_set
from tests.cluster.chaos.site import CARDS, NODES, ChaosCluster
from tests.cluster.claim_templates import claim, claim_template
from tests.cluster.dra import CLASSES, DAEMON_SET, DRIVER, driver_objects
from tests.cluster.simulation import FOLDER

_CLAIMS = "/apis/resource.k8s.io/v1/namespaces/default/resourceclaims"
_PLUGINS = ("furiosa-npu-plugin", "furiosa-npu-plugin-renegade")


class DraChaosCluster(ChaosCluster):
    """Up and all NPUs and their parts offered when it is made; ended by `close`."""

    program = DAEMON_SET
    sockets = (f"plugins_registry/{DRIVER}-*-reg.sock", f"plugins/{DRIVER}/*.sock")

    def documents(self) -> list[dict[str, Any]]:
        classes = yaml.safe_load_all(CLASSES.read_text())
        asked = [claim_template(name, *what) for name, what in TEMPLATES.items()]
        asked += [claim(name, *what) for name, what in SHARED.items()]
        labelled = [one for one in super().documents() if not any(is_daemon_set(one, name) for name in _PLUGINS)]
        return [*labelled, *classes, *asked, *driver_objects()]

    def not_offered(self) -> str:
        """Empty: each node's slices have all its cards with all their parts, none is tainted, and no claim has any."""
        items = self.api.request("GET", SLICES)["items"]
        for node in NODES:
            found = offered(node, items, Simulation.open(str(self.nodes[node].path(FOLDER))).state()) or NOTHING
            if [len(found[part]) for part in PARTS] != [len(CARDS)] * len(PARTS):
                return f"{node}: offered {found}; slices: {json.dumps(items)}"
        claims = self.api.request("GET", _CLAIMS)["items"]
        held = [one["metadata"]["name"] for one in claims if "allocation" in one.get("status", {})]
        return f"claims {', '.join(held)} have devices" if held else ""
