"""A real Prometheus over agents of a test, by the jobs and the rules that users are given."""

import asyncio
import json
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests.docs.markdown import REPOSITORY
from tests.docs.monitoring import ALERTS
from tests.protocol.plugin_node import SECONDS, free_port, get

SCRAPE = REPOSITORY / "kubernetes/monitoring/scrape.yaml"
_META = "__meta_kubernetes_pod_"


class Target(NamedTuple):
    """One agent's pod."""

    address: str
    """host and port"""
    agent: str
    """the name of its DaemonSet"""
    node: str


def configuration(targets: Sequence[Target]) -> dict[str, Any]:
    """The shipped job, each second, its targets told as Kubernetes' discovery would: Debian's Prometheus has none."""
    (job,) = yaml.safe_load(SCRAPE.read_text())["scrape_configs"]
    del job["kubernetes_sd_configs"]
    job["scrape_interval"] = job["scrape_timeout"] = "1s"
    job["static_configs"] = [{"targets": [target.address], "labels": _told(target)} for target in targets]
    return {"global": {"evaluation_interval": "1s"}, "rule_files": [str(ALERTS)], "scrape_configs": [job]}


def _told(target: Target) -> dict[str, str]:
    told = {
        "label_app_kubernetes_io_part_of": "furiosa-npu",
        "label_app_kubernetes_io_name": target.agent,
        "container_port_name": "http",
        "phase": "Running",
        "node_name": target.node,
        "name": f"{target.agent}-{target.node}",
    }
    return {f"{_META}{name}": value for name, value in told.items()}


def command(folder: Path, port: int) -> list[str]:
    """What starts it, on loopback; its configuration is `prometheus.yml` in the folder, where its data goes, too."""
    return [
        "prometheus",
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
    ]


class Prometheus:
    """One that runs."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def ask(self, what: str, **parameters: str) -> Any:
        """`data` of an answer of its HTTP API, e.g. to `query_range`. Raises urllib.error.HTTPError."""
        asked = urllib.parse.urlencode(parameters)
        return await asyncio.to_thread(_answer, f"http://127.0.0.1:{self._port}/api/v1/{what}?{asked}")


def _answer(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as response:  # noqa: S310 - loopback
        return json.load(response)["data"]


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Asks again and again: of what a server of others knows no event tells. Raises TimeoutError."""
    async with asyncio.timeout(SECONDS):
        while not await condition():  # noqa: ASYNC110
            await asyncio.sleep(0.1)


@asynccontextmanager
async def prometheus(folder: Path, targets: Sequence[Target]) -> AsyncIterator[Prometheus]:
    """Ready, and ended after the block. `folder` is its own."""
    port = free_port()
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration(targets)))
    process = await asyncio.create_subprocess_exec(*command(folder, port))
    try:
        await until(lambda: _is_ready(port))
        yield Prometheus(port)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _is_ready(port: int) -> bool:
    try:
        return (await get(port, "/-/ready"))[0] == 200
    except ConnectionRefusedError:
        return False
