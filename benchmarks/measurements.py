"""What is measured of device plugins that a kubelet stand-in in this process serves."""

import asyncio
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.plugins import start, stop, until_allocatable
from benchmarks.running import Program
from furiosa_npu.demo.kubelet import Kubelet
from furiosa_npu.simulator import Simulation

WARM_UP_CALLS = 100
BETWEEN_SECONDS = 1.125
"""From one event to the next. Not whole seconds: it meets a cycle of one second at eight phases."""


class NotRegistered(Exception):
    """A plugin that was started, and that the kubelet does not know any more."""


class Seat(NamedTuple):
    """A program and the kubelet that it serves."""

    program: Program
    kubelet: Kubelet


class Starts(NamedTuple):
    """In seconds, one a start."""

    register: tuple[float, ...]
    """from start to the first Register"""
    bare: tuple[float, ...]
    """from start to end of the bare interpreter; empty for a program without one"""


async def starts(seats: Sequence[Seat], devices: int, times: int, logs: Path) -> tuple[Starts, ...]:
    """Each program in turn, `times` times, and once before for their caches."""
    register: list[list[float]] = [[] for _ in seats]
    bare: list[list[float]] = [[] for _ in seats]
    for _ in range(1 + times):
        for (program, kubelet), seconds, seconds_bare in zip(seats, register, bare, strict=True):
            started = await start(program, kubelet, devices, logs)
            seconds.append(started.register_seconds)
            await stop(started.process, program, kubelet)
            if program.bare is not None:
                seconds_bare.append(_bare_start(program.bare, program.environment))
    return tuple(Starts(tuple(of[1:]), tuple(alone[1:])) for of, alone in zip(register, bare, strict=True))


async def allocations(seats: Sequence[Seat], times: int) -> tuple[tuple[float, ...], ...]:
    """Seconds of each answered Allocate of one device; the programs, which all run, are called in turn.

    One client calls over each program's one connection, and its own cost is in all figures. Our plugin answers again
    for what is held under the name that asks.
    """
    taken: list[list[float]] = [[] for _ in seats]
    asked = []
    for program, kubelet in seats:
        resource = program.resources[0]
        client = kubelet.plugin(resource)
        if client is None:
            raise NotRegistered(program.name)
        asked.append((client, sorted(kubelet.books.lists[resource])))
    for number in range(WARM_UP_CALLS + times):
        for (client, devices), seconds in zip(asked, taken, strict=True):
            device = devices[number % len(devices)]
            started = time.perf_counter()
            await client.allocate([device])
            seconds.append(time.perf_counter() - started)
    return tuple(tuple(of[WARM_UP_CALLS:]) for of in taken)


async def returns(seat: Seat, devices: int, times: int) -> tuple[float, ...]:
    """Seconds from a kubelet that starts anew, as often, to all devices listed again under all names: a registration,
    the kubelet's call back, the first list.
    """
    program, kubelet = seat
    taken = []
    for _ in range(times):
        await kubelet.stop()
        await asyncio.sleep(BETWEEN_SECONDS)
        started = time.monotonic()
        await kubelet.start()
        await until_allocatable(kubelet, program, devices)
        taken.append(time.monotonic() - started)
        await asyncio.sleep(BETWEEN_SECONDS)
    return tuple(taken)


async def failures(seat: Seat, simulation: Simulation, devices: int) -> tuple[float, ...]:
    """Seconds from a card's fault, brought to one after the other, to the list without it under all names."""
    program, kubelet = seat
    taken = []
    for failed, card in enumerate(simulation.state().cards, 1):
        await asyncio.sleep(BETWEEN_SECONDS)
        started = time.monotonic()
        await asyncio.to_thread(simulation.fail, card.card.name)
        await until_allocatable(kubelet, program, devices - failed)
        taken.append(time.monotonic() - started)
    return tuple(taken)


def _bare_start(words: tuple[str, ...], environment: dict[str, str]) -> float:
    started = time.monotonic()
    subprocess.run(words, env=environment, stdin=subprocess.DEVNULL, check=True)
    return time.monotonic() - started
