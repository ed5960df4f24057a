"""scripts/test [STAGE...]: all tests, from a fresh Debian 12 machine on.

Installs by apt what is missing (as root), makes a virtual environment in the cache, runs the stages, and ends with a
summary and a line `N passed, N failed`. Goes on after a stage that failed.

Stages, all of them where none is named:
{stages}

Exit status: 0 all that ran passed; 1 something failed; 2 wrong use. Where this is not root's, or the machine is not a
Debian 12, the stages marked (root) do not run: that is said loudly, and is a failure where such a stage was named or
CI=true is set.

FURIOSA_NPU_CACHE  what is kept between runs (default /var/cache/furiosa-npu, or ~/.cache/furiosa-npu)
FURIOSA_NPU_KUBERNETES_BINARIES
                   folders, separated by colons, each with the programs of a Kubernetes release (containerd's and etcd's
                   too where it has them): they are not built then. Building is done once, and takes five minutes for
                   1.20.2 and twenty for 1.37.2 with containerd and etcd, on two processors; Helm takes four
PIP_*              pip's own variables, such as PIP_INDEX_URL
"""

import os
import sys
import time

from scripts.checks import machine, report
from scripts.checks.environment import NoEnvironment
from scripts.checks.preparation import Prepared, prepare
from scripts.checks.running import Interrupted, interruptible, run_stage
from scripts.checks.stages import STAGES, Stage, chosen


def main(argv: list[str]) -> int:
    if any(word in ("-h", "--help") for word in argv):
        print(_help(), end="")
        return 0
    try:
        stages = chosen(argv)
    except KeyError as unknown:
        known = ", ".join(stage.name for stage in STAGES)
        print(f"scripts/test: no stage {unknown.args[0]!r}, expected some of: {known}", file=sys.stderr)
        return 2
    must_run = bool(argv) or os.environ.get("CI") == "true"
    outcomes: list[report.Outcome] = []
    status = 1
    with interruptible():
        try:
            _all(stages, outcomes)
            status = report.exit_status(outcomes, everything_must_run=must_run)
        except Interrupted as interrupted:
            print(f"scripts/test: {interrupted}", file=sys.stderr)
            status = interrupted.status
    print(report.summary(outcomes), flush=True)
    return status


def _help() -> str:
    lines = "\n".join(f"  {stage.name:<10}{stage.what}" for stage in STAGES)
    return (__doc__ or "").format(stages=lines)


def _all(stages: tuple[Stage, ...], outcomes: list[report.Outcome]) -> None:
    """Adds an outcome a stage; what prepares them is one more, `set-up`."""
    why_not = machine.why_no_root_stages()
    runnable = [stage for stage in stages if why_not is None or not stage.needs_root]
    started = time.monotonic()
    failures: tuple[str, ...] = ()
    prepared: Prepared | None = None
    try:
        prepared = prepare([package for stage in runnable for package in stage.packages])
    except (machine.NoPackages, NoEnvironment) as problem:
        failures = (str(problem),)
    outcomes.append(report.Outcome("set-up", time.monotonic() - started, report.Counts(), failures))
    for stage in stages:
        if stage not in runnable:
            outcomes.append(report.Outcome(stage.name, 0, report.Counts(), not_run=why_not))
        elif prepared is None:
            outcomes.append(report.Outcome(stage.name, 0, report.Counts(), not_run="its set-up failed"))
        else:
            print(f"\n== {stage.name}: {stage.what}", flush=True)
            outcomes.append(run_stage(stage, *prepared))
            print(f"== {stage.name}: {outcomes[-1].verdict} in {report.duration(outcomes[-1].seconds)}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
