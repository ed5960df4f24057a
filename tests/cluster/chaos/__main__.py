"""Chaos by hand: `python -m tests.cluster.chaos --seed 7 --faults 1000`.

A cluster of its own, faults while pods come and go, and a verdict on each promise: exit status 0 where all were kept.
"""

import argparse
import random
import sys
from pathlib import Path

from tests.cluster.chaos.history import from_lines
from tests.cluster.chaos.planes import PLANES
from tests.cluster.chaos.report import Outcome, report
from tests.cluster.chaos.run import BOUNDS, run_chaos
from tests.cluster.command_line import add_kubernetes_options, kubernetes_of
from tests.cluster.releases import KUBERNETES_1_20


def main(arguments: list[str]) -> int:
    options = options_of(arguments)
    outcome = _judge_again(options) if options.judge is not None else _run(options)
    print(report(outcome, BOUNDS))
    return 0 if outcome.kept else 1


def options_of(arguments: list[str]) -> argparse.Namespace:
    """Ends the process where they are wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, help="the same seed, the same faults and pods (default: by chance)")
    parser.add_argument("--faults", type=int, default=60, help="how many (default: 60)")
    parser.add_argument("--plane", choices=PLANES, default="device-plugin", help="dra: from Kubernetes 1.36 on")
    parser.add_argument("--keep", action="store_true", help="leave the cluster; python -m tests.cluster down ends it")
    parser.add_argument("--judge", type=Path, metavar="FILE", help="judge the history of an earlier run again")
    add_kubernetes_options(parser, KUBERNETES_1_20)
    options = parser.parse_args(arguments)
    if options.plane == "dra" and options.kubernetes_version == KUBERNETES_1_20.number and options.judge is None:
        parser.error("Kubernetes 1.20 has no DRA: --kubernetes-version 1.37.2")
    return options


def _run(options: argparse.Namespace) -> Outcome:
    seed = random.SystemRandom().randrange(1_000_000) if options.seed is None else options.seed
    plane = PLANES[options.plane]
    chaos = plane.cluster(*kubernetes_of(options), outlives_us=options.keep)
    try:
        outcome = run_chaos(plane, chaos, seed, options.faults, chaos.cluster.run.logs / "chaos.jsonl")
        if not outcome.kept:
            print(f"its logs and its history are kept in {chaos.keep_logs()}")
        return outcome
    finally:
        if not options.keep:
            chaos.close()


def _judge_again(options: argparse.Namespace) -> Outcome:
    with options.judge.open() as lines:
        history = tuple(from_lines(lines))
    tallies = PLANES[options.plane].judge(history, BOUNDS)
    return Outcome(-1, history[0].at, history, tallies, (), (), 0, 0.0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
