"""Measures and prints; `scripts/bench scale` starts it as root in network and PID namespaces of its own."""

import asyncio
import os
import platform
import resource
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

from tests.cluster.releases import KUBERNETES_1_37

from benchmarks.scale.agents import CARDS
from benchmarks.scale.audit import parse
from benchmarks.scale.rates import load
from benchmarks.scale.server import SERVER, api_server
from benchmarks.scale.story import POWER_CUT, POWER_CUT_WITHOUT, say, story
from benchmarks.scale.table import herd, table


def main(arguments: list[str]) -> int:
    """The one argument is the number of nodes; scripts/bench has checked it."""
    names = [f"node-{number:04}" for number in range(int(arguments[0]))]
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    address = urlsplit(SERVER)
    os.environ |= {"KUBERNETES_SERVICE_HOST": str(address.hostname), "KUBERNETES_SERVICE_PORT": str(address.port)}
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="npu-scale-") as name, api_server(Path(name)) as server:
        say(f"an API server with {len(names)} nodes")
        server.start()
        server.wait_until_ready()
        server.furnish(names)
        phases = asyncio.run(story(server, names))
        with server.audit_log.open(encoding="utf-8") as log:
            asked = parse(log)
    loads = {phase.name: load(phase, asked) for phase in phases}
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    machine = f"{os.cpu_count()} processors, Linux {platform.release()}, {platform.machine()}"
    print(f"\n{len(names)} nodes of {CARDS} simulated Warboys, Kubernetes {KUBERNETES_1_37}; {machine};")
    print(f"Python {platform.python_version()}; {time.monotonic() - began:.0f} s, all agents together {memory} MiB\n")
    print(table([*loads.values()]))
    print(f"\n{herd(loads[POWER_CUT], loads[POWER_CUT_WITHOUT])}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
