"""Writes a driver tree of simulated NPUs from a scenario, and changes it while it lives.

`Simulation` is the room's face: `Simulation.create(folder, cards)` or `Simulation.open(folder)`, then `fail`,
`recover`, `remove`, `add`, `renumber`, `replace`, `occupy`, `release`, `unload_driver`, `load_driver`, `advance`.
`parse_scenario` reads a scenario's cards, `live` lets time go on.

What the tree shows is a pure function of a `State` (`tree.render`); a command computes the next state (`changes`), and
`writer.apply` carries over what differs. The formats are written here a second time on purpose, so that a typo in the
readers of `furiosa_npu.hardware` meets files that do not share it.
"""

from furiosa_npu.simulator.card import Card, ScenarioError
from furiosa_npu.simulator.changes import ChangeError
from furiosa_npu.simulator.faults import FaultError
from furiosa_npu.simulator.run import live
from furiosa_npu.simulator.scenario import parse_scenario
from furiosa_npu.simulator.simulation import NoSimulationError, Simulation, WrongRootError
from furiosa_npu.simulator.state import UnknownNpuError

__all__ = [
    "Card",
    "ChangeError",
    "FaultError",
    "NoSimulationError",
    "ScenarioError",
    "Simulation",
    "UnknownNpuError",
    "WrongRootError",
    "live",
    "parse_scenario",
]
