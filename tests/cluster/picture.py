"""The README's picture of a card that fails: `python -m tests.cluster.picture docs/a-card-fails.svg`.

A cluster of its own with a node of two simulated Warboys, the shipped image and manifests, and a Prometheus that
scrapes the device plugin. A Job's pod gets a card, the card fails, the pod's program ends, and the Job's next pod gets
the other card. Drawn is what Prometheus saw.
"""

import argparse
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from monitoring.plot import Section, draw, lanes, steps

from tests.cluster.cluster import Cluster
from tests.cluster.command_line import add_kubernetes_options, kubernetes_of
from tests.cluster.hosts import Program
from tests.cluster.pods import ALPHA, PLAIN, container, job, pod
from tests.cluster.product import Product, load_image
from tests.cluster.releases import KUBERNETES_1_37
from tests.cluster.simulation import FOLDER
from tests.cluster.workloads import Workloads
from tests.promtool.server import Target, command, configuration

NODE, JOB = "warboy-node01", "train"
CALM_SECONDS = 8
"""between two things that happen, so that a picture shows them apart"""
_PORT, _PAGE_PORT = 9090, 9200
_SERVER = f"http://127.0.0.1:{_PORT}"
_WORK = 'while [ "$(cat /npus/class/npu_mgmt/${NPU_NPUNAME}_mgmt/alive)" = 1 ]; do sleep 0.2; done; exit 1'
"""a program that works as long as its card does: behind a simulated card's device files there is nothing that fails"""
_COLORS: Mapping[str, str] = {
    "idle": "#2da44e",
    "allocated": "#0969da",
    "failed": "#cf222e",
    "probation": "#bf8700",
}
_OTHER_COLOR = "#6e7781"


def options_of(arguments: list[str]) -> argparse.Namespace:
    """Ends the process where they are wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster.picture", description=__doc__)
    parser.add_argument("file", type=Path, help="the SVG file to be written")
    add_kubernetes_options(parser, KUBERNETES_1_37)
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    options = options_of(arguments)
    cluster = Cluster(*kubernetes_of(options), names=(NODE, "plain-node01"))
    try:
        load_image(cluster)
        product = Product(cluster)
        _watch(product)
        options.file.write_text(_picture(product), encoding="utf-8")
    finally:
        cluster.close()
    return 0


def _watch(product: Product) -> None:
    """Returns when Prometheus has seen the cards, and the nodes' allocatable, for two seconds."""
    cluster = product.cluster
    host, folder = cluster.control_plane.host, cluster.run.folder / "prometheus"
    folder.mkdir()
    address = product.agents("furiosa-npu-plugin")[NODE]["status"]["podIP"]
    told = configuration([Target(f"{address}:6255", "furiosa-npu-plugin", NODE)])
    nodes = {"job_name": "nodes", "scrape_interval": "1s", "scrape_timeout": "1s"}
    told["scrape_configs"].append({**nodes, "static_configs": [{"targets": [f"127.0.0.1:{_PAGE_PORT}"]}]})
    (folder / "prometheus.yml").write_text(yaml.safe_dump(told))
    script, admin = (
        Path(__file__).with_name("node_status_page.py"),
        cluster.run.folder / "certificates/admin.kubeconfig",
    )
    page = [sys.executable, "-I", str(script), str(_PAGE_PORT), str(admin)]
    Program(host, "page", page, cluster.run.logs / "node-status-page.log").start()
    Program(host, "prometheus", command(folder, _PORT), cluster.run.logs / "prometheus.log").start()
    both = "count(furiosa_npu_state offset 2s) and count(kube_node_status_allocatable offset 2s)"
    ask = ["promtool", "query", "--format=json", "instant", _SERVER, both]
    cluster.wait("Prometheus to see cards and nodes", lambda: json.loads(host.run(ask)))


def _picture(product: Product) -> str:
    start = int(time.time())
    marks = [(at - start, word) for at, word in _story(product)]
    seconds = time.time() - start

    def result(query: str) -> list[dict[str, Any]]:
        when = [f"--start={start}", f"--end={start + seconds:.0f}", "--step=1s"]
        ask = ["promtool", "query", "--format=json", "range", *when, _SERVER, query]
        found: list[dict[str, Any]] = json.loads(product.cluster.control_plane.host.run(ask))
        return found

    def allocatable(resource: str) -> dict[str, Any]:
        word = resource.replace(".", "_").replace("/", "_")
        (series,) = result(f'kube_node_status_allocatable{{node="{NODE}", resource="{word}"}}')
        return series

    states = result(f'max by (name, state) (furiosa_npu_state{{node="{NODE}"}})')
    holders = result('max by (pod, uuid) (furiosa_npu_allocation_info{namespace="default"})')
    names = {product.uuid(NODE, name): name for name in ("npu0", "npu1")}
    cards = lanes(
        states, start, lambda of: of["name"], lambda of: of["state"], lambda of: _COLORS.get(of["state"], _OTHER_COLOR)
    )
    pods = lanes(holders, start, lambda of: of["pod"], lambda of: names[of["uuid"]], lambda _: _COLORS["allocated"])
    free = (
        steps(allocatable(ALPHA), start, ALPHA, "#0969da"),
        steps(allocatable(PLAIN), start, PLAIN, "#8250df"),
    )
    sections = (
        Section("State of the node's NPUs", cards),
        Section("Allocatable on the node, as its kubelet says", free),
        Section(f"Pods of the Job {JOB}, and the NPU of each", pods),
    )
    return draw(sections, marks, seconds)


def _story(product: Product) -> list[tuple[float, str]]:
    """What happened, and when (seconds since 1970)."""
    workloads, simulation = Workloads(product.cluster), product.simulations[NODE]
    time.sleep(CALM_SECONDS)
    marks = [(time.time(), "Job applied")]
    workloads.apply(job(JOB, _worker()))
    first = _running(product.cluster)
    (npu,) = workloads.npus(first)
    time.sleep(CALM_SECONDS)
    marks.append((time.time(), f"{npu} fails"))
    simulation.tell("fail", npu)
    _running(product.cluster, other_than=first)
    time.sleep(CALM_SECONDS)
    marks.append((time.time(), f"{npu} is well again"))
    simulation.tell("recover", npu)
    time.sleep(CALM_SECONDS)
    return marks


def _worker() -> dict[str, Any]:
    of = pod("worker", [container("linux", {ALPHA: 1}, _WORK)], NODE)
    of["spec"]["volumes"] = [{"name": "npus", "hostPath": {"path": f"{FOLDER}/sys"}}]
    of["spec"]["containers"][0]["volumeMounts"] = [{"name": "npus", "mountPath": "/npus", "readOnly": True}]
    return of


def _running(cluster: Cluster, other_than: str = "") -> str:
    """The name of the Job's pod, once it runs."""

    def name() -> str | None:
        items = cluster.get("pods", f"--selector=job-name={JOB}")["items"]
        running = [str(item["metadata"]["name"]) for item in items if item["status"]["phase"] == "Running"]
        return next((name for name in running if name != other_than), None)

    return cluster.wait("the Job's pod to run", name)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
