"""The run: all nodes start, stand in peace, have cards that fail, and lose their API server; then twice their power."""

import asyncio
import random
import sys
import time
from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor

from benchmarks.scale.agents import CARDS, NodesAgents, Spread, Ways
from benchmarks.scale.changes import MINUTE, Change, changes
from benchmarks.scale.rates import Phase
from benchmarks.scale.server import ApiServer
from benchmarks.scale.threads import Threads
from furiosa_npu.dra_driver.publication import DOUBT_SECONDS, DOUBT_SPREAD
from furiosa_npu.node_labeller.settings import PROGRAM

THREADS = 512
"""requests on their way at once, at most"""
START_SECONDS = 60.0
"""in which all has to be as wanted"""
LOOKS_SECONDS = DOUBT_SECONDS[-1] * (1.0 + DOUBT_SPREAD) + 2.0
"""from then on the driver's looks after a start are over, and what is asked in peace is all that is asked"""
PEACE_SECONDS = 300.0
CHANGING_PART = 0.01
"""of all cards, in each of two minutes"""
RESTART_SECONDS = 15.0
"""so long the API server is away between the two minutes, and its own start besides"""
POWER_SECONDS = 40.0
"""the same after a power cut: agents start before it does"""
BACK_SECONDS = 90.0
"""in which all has to be as wanted after its return"""
_QUIET_SECONDS = 10.0
"""from then to the phase's end"""
_LOOK_SECONDS = 0.1

WITHOUT = Spread(0.0, lambda: 0.5)
"""As if there were no chance: all nodes do the same at one instant."""

POWER_CUT = "power cut, jitter"
POWER_CUT_WITHOUT = "power cut, no jitter"


def with_jitter() -> Spread:
    """As the agents have it by default."""
    (seconds,) = (option.default for option in PROGRAM.options if option.name == "start-jitter-seconds")
    if not isinstance(seconds, int):
        raise TypeError(seconds)
    return Spread(float(seconds), random.Random(1).random)  # noqa: S311  # spreads, hides nothing


async def story(server: ApiServer, names: Sequence[str]) -> list[Phase]:
    """All phases, in order. The server runs, with the nodes."""
    with ThreadPoolExecutor(THREADS) as executor:
        ways = Ways(_way(server, "furiosa-npu-labeller", executor), _way(server, "furiosa-npu-dra-driver", executor))
        spread = with_jitter()
        say(f"{len(names)} nodes' agents start at once")
        began = time.time()
        agents = [NodesAgents(name, ways, spread) for name in names]
        settled = await _settled(agents, began, START_SECONDS)
        await asyncio.sleep(LOOKS_SECONDS)
        phases = [Phase("start at once", began, time.time(), settled)]
        say(f"peace: {PEACE_SECONDS:.0f} s")
        phases.append(await _phase("peace", PEACE_SECONDS))
        phases += await _changing(server, agents)
        for name, chance in ((POWER_CUT, spread), (POWER_CUT_WITHOUT, WITHOUT)):
            say(f"{name}: all agents start anew, the API server {POWER_SECONDS:.0f} s later")
            server.kill()
            for node in agents:
                node.stop()
            agents = [NodesAgents(one, ways, chance) for one in names]
            await asyncio.sleep(POWER_SECONDS)
            phases.append(await _return(server, agents, name))
        for node in agents:
            node.stop()
        return phases


async def _changing(server: ApiServer, agents: Sequence[NodesAgents]) -> list[Phase]:
    """A minute in which cards fail, and one in which they are good again while the API server is away."""
    say(f"{CHANGING_PART:.0%} of the cards fail within a minute, then are good again; the API server is killed")
    plan = changes(len(agents), CARDS, CHANGING_PART, random.Random(2).random)  # noqa: S311  # likewise
    changing = asyncio.create_task(_change(agents, plan))
    failing = await _phase(f"{CHANGING_PART:.0%} of cards fail", MINUTE)
    server.kill()
    await asyncio.sleep(RESTART_SECONDS)
    back = await _return(server, agents, "server back, cards recover")
    await changing
    return [failing, back._replace(end=time.time())]


async def _change(agents: Sequence[NodesAgents], plan: Sequence[Change]) -> None:
    began = time.time()
    for change in plan:
        await _until(began + change.after_seconds)
        agents[change.node].change(change.card, alive=change.alive)


async def _return(server: ApiServer, agents: Sequence[NodesAgents], name: str) -> Phase:
    began = time.time()
    server.start()
    await asyncio.to_thread(server.wait_until_ready)
    ready = time.time()
    say(f"the API server is ready after {ready - began:.1f} s")
    settled = await _settled(agents, began, ready - began + BACK_SECONDS)
    await asyncio.sleep(_QUIET_SECONDS)
    return Phase(name, began, time.time(), settled)


async def _phase(name: str, seconds: float) -> Phase:
    began = time.time()
    await asyncio.sleep(seconds)
    return Phase(name, began, time.time())


async def _settled(agents: Sequence[NodesAgents], began: float, limit_seconds: float) -> float | None:
    """Seconds until all is as wanted; None: not within the limit."""
    while not all(node.is_settled() for node in agents):
        if time.time() - began > limit_seconds:
            return None
        await asyncio.sleep(_LOOK_SECONDS)
    return time.time() - began


async def _until(at: float) -> None:
    await asyncio.sleep(max(0.0, at - time.time()))


def _way(server: ApiServer, name: str, executor: Executor) -> Threads:
    return Threads(server.service_account(name), executor)


def say(text: str) -> None:
    """Progress, for whoever waits."""
    print(f"scripts/bench scale: {text}", file=sys.stderr, flush=True)
