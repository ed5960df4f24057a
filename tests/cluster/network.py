"""The network between the hosts. All of it lies in their own network namespaces: no address of the machine's is near.

The control plane's host carries a bridge; each node has a wire to it, a range of addresses for its pods, routes to the
other nodes' ranges, and a DNAT that stands for kube-proxy: the API service's address leads to the API server.
"""

import json
from pathlib import Path

from tests.cluster.commands import run
from tests.cluster.hosts import Host

CONTROL_PLANE = "10.90.0.1"
API_PORT = 6443
SERVICES = "10.96.0.0/16"
API_SERVICE = "10.96.0.1"
DNS_SERVICE = "10.96.0.10"


def node_address(number: int) -> str:
    return f"10.90.0.{10 + number}"


def pod_range(number: int) -> str:
    return f"10.91.{number}.0/24"


def lay_bridge(control_plane: Host) -> None:
    for words in (
        "link add nodes type bridge",
        f"address add {CONTROL_PLANE}/24 dev nodes",
        "link set nodes up",
    ):
        _ip(control_plane, words)


def connect(control_plane: Host, node: Host, number: int, all_numbers: range) -> None:
    """A wire from the node to the bridge, and all routes from and to it."""
    wire = f"node{number}"
    _ip(control_plane, f"link add {wire} type veth peer name eth0 netns {node.pid}")
    _ip(control_plane, f"link set {wire} master nodes up")
    _ip(control_plane, f"route add {pod_range(number)} via {node_address(number)} dev nodes onlink")
    _ip(node, f"address add {node_address(number)}/24 dev eth0")
    _ip(node, "link set eth0 up")
    _ip(node, f"route add {SERVICES} via {CONTROL_PLANE}")  # and no default: what is not here is said at once
    for other in all_numbers:
        if other != number:
            _ip(node, f"route add {pod_range(other)} via {node_address(other)}")
    node.run(["sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"])
    for chain in ("PREROUTING", "OUTPUT"):
        to_the_service = ["-d", API_SERVICE, "-p", "tcp", "--dport", "443"]
        to_the_server = ["-j", "DNAT", "--to-destination", f"{CONTROL_PLANE}:{API_PORT}"]
        node.run(["iptables", "-t", "nat", "-A", chain, *to_the_service, *to_the_server])


def write_pod_network(folder: Path, number: int) -> None:
    """The CNI configuration for Debian's bridge plugin (containernetworking-plugins)."""
    folder.mkdir(parents=True)
    bridge = {
        "type": "bridge",
        "bridge": "pods",
        "isGateway": True,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "ranges": [[{"subnet": pod_range(number)}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
    config = {"cniVersion": "0.4.0", "name": "pods", "plugins": [bridge, portmap]}
    (folder / "10-pods.conflist").write_text(json.dumps(config, indent=1))


def _ip(host: Host, words: str) -> None:
    run(host.on_its_network(["ip", *words.split()]))
