"""`furiosa-npu-chart-hook`: the hooks of the Helm chart, one subcommand each."""

import os
import signal
import sys
from collections.abc import Mapping

from furiosa_npu.agent.settings import load, wrong_use
from furiosa_npu.chart_hooks import holders
from furiosa_npu.chart_hooks.cluster_sweep import await_nodes, sweep_cluster
from furiosa_npu.chart_hooks.given_cards import given_cards
from furiosa_npu.chart_hooks.lists import METADATA_OF_EACH, Unanswered, listed
from furiosa_npu.chart_hooks.node_files import in_use, leftovers, remove
from furiosa_npu.chart_hooks.patience import Patience
from furiosa_npu.chart_hooks.settings import PROGRAM, Settings
from furiosa_npu.chart_hooks.traces import NODES
from furiosa_npu.cluster.api import Access, is_configured
from furiosa_npu.cluster.blocking import Ask, ask_and_wait

_UNINSTALL = (
    "End these pods, or wait for them, then run 'helm uninstall' again. Or keep the release, which Helm calls "
    "'uninstalling' now: 'helm rollback' to the revision that 'helm history' shows last. With --no-hooks it goes on at "
    "once: the pods keep running, and what the agents wrote to nodes and hosts stays."
)
_LEAVE_DRA = (
    "The device plugin cannot end pods that have NPUs through DRA. Upgrade with plane=device-plugin and "
    "dra.retire=true: the DRA driver then stays beside it and hands out nothing new; once these pods have ended, "
    "upgrade with dra.retire=false."
)
_LEAVE_FAMILY = (
    "The value families leaves the nodes of these pods out, and without the DRA driver there they cannot end. End "
    "them, or wait for them, then upgrade again."
)


def main() -> int:
    return run(tuple(sys.argv[1:]), os.environ)


def run(arguments: tuple[str, ...], environment: Mapping[str, str]) -> int:
    """Exit code: 0 done, 1 refused or failed at work; 2 (wrong use) is raised."""
    invocation = load(PROGRAM, Settings, arguments, environment)
    settings = invocation.settings
    match invocation.subcommand:
        case None:
            names = ", ".join(one.name for one in PROGRAM.subcommands)
            wrong_use(PROGRAM, f"found no subcommand, expected one of {names}")
        case "see-card":
            said, is_card = given_cards(environment, "/dev")
            print(said)
            return 0 if is_card else 1
        case "sweep-node":
            return _sweep_node(settings)
        case "stay":
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
            while True:
                signal.pause()
    if not is_configured(settings.kubeconfig, environment):
        wrong_use(PROGRAM, "found no cluster around this process, expected --kubeconfig FILE (or to run in a pod)")
    access = Access(settings.kubeconfig)
    try:
        reason = _at_the_api(invocation.subcommand, settings, lambda requests: ask_and_wait(access, requests))
    except Unanswered as unanswered:
        reason = str(unanswered)
    if reason is not None:
        sys.stderr.write(f"{PROGRAM.name}: {reason}\n")
    return 0 if reason is None else 1


def _at_the_api(subcommand: str, settings: Settings, ask: Ask) -> str | None:
    """Why it is refused or failed; None: done. Raises Unanswered."""
    if subcommand == "sweep-cluster":
        patience = Patience(settings.deadline_seconds)
        return sweep_cluster(ask, settings.namespace, settings.startup_taint, patience, print)
    if subcommand == "await-nodes":
        return await_nodes(ask, settings.namespace, Patience(settings.deadline_seconds))
    claims = holders.by_claims(listed(ask, holders.CLAIMS))
    if subcommand == "check-claims":
        if settings.family is None:
            return holders.refusal(claims, _LEAVE_DRA)
        nodes = listed(ask, NODES, accept=METADATA_OF_EACH)
        return holders.refusal(holders.on_others_nodes(claims, nodes, settings.family), _LEAVE_FAMILY)
    pods = holders.by_limits(listed(ask, holders.PODS, holders.ON_A_NODE))
    return holders.refusal(holders.together(pods, claims), _UNINSTALL)


def _sweep_node(settings: Settings) -> int:
    reason = in_use(settings.state_dir)
    if reason is not None:
        sys.stderr.write(f"{PROGRAM.name}: {reason}\n")
        return 1
    try:
        for path in leftovers(settings.state_dir, settings.cdi_dir, settings.kubelet_dir, settings.features_dir):
            remove(path)
            print(f"removed {path}")
    except OSError as error:
        sys.stderr.write(f"{PROGRAM.name}: {error.filename}: {error.strerror}: cannot be removed\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
