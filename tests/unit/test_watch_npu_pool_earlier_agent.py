"""What an earlier agent knew of cards, and the pool of the next one."""

from furiosa_npu.allocation.partition import PARTITIONED
from furiosa_npu.hardware.reading import Reading
from furiosa_npu.health.history import NEW, Standing
from furiosa_npu.health.verdict import Verdict
from tests.unit.pool_host import Host, refused_with, restart, states_of
from tests.unit.readings import warboy

GONE = Verdict(
    "gone",
    "gone",
    "the driver shows neither device files nor a management folder, and PCI has no such device",
    42.0,
    (),
    NEW._replace(standing=Standing(True, 1, 42.0, None)),
)
KNOWN = {"WARBOY-0": Reading("warboy", 0, management=False, uuid="WARBOY-0", pci_bdf="0000:01:00.0")}


def test_a_card_that_is_gone_stays_so_for_the_next_agent() -> None:
    """With its reason, since when, and for its pod, as if no agent had been started anew."""
    host = Host(warboy(index=1), remembered={"WARBOY-0": GONE}, known=KNOWN)
    restart(host, "WARBOY-0", given={})
    assert states_of(host) == {"WARBOY-0": "gone", "WARBOY-1": "idle"}
    assert host.pool.pool["WARBOY-0"].verdict[:4] == GONE[:4]
    assert host.lists[-1] == (("WARBOY-0", True), ("WARBOY-1", True))
    host.cards = (Reading("warboy", 0, management=False), warboy(index=1))  # as the last look finds the place
    assert "npu0 (WARBOY-0) is gone: the driver shows neither" in refused_with(host, "WARBOY-0")
    assert set(host.pool.cards) == {"WARBOY-0", "WARBOY-1"}


def test_a_card_that_hangs_at_the_agents_start_is_the_one_that_it_was() -> None:
    """Its driver does not even say its UUID; the pod that holds it is not forgotten."""
    hangs = Reading("warboy", 0, management=False, unanswered="/sys/x/heartbeat")
    host = Host(hangs, warboy(index=1), remembered={"WARBOY-0": GONE}, known=KNOWN)
    host.unread = frozenset({"warboy npu0"})
    host.states(101.0)
    assert states_of(host) == {"WARBOY-0": "unreadable", "WARBOY-1": "idle"}


def test_a_card_that_is_slow_to_answer_the_next_agent_is_not_gone_meanwhile() -> None:
    """It would have to prove itself for that."""
    host = Host(warboy(index=1), remembered={"WARBOY-0": Verdict("idle", "", "", 0.0)}, known=KNOWN)
    for unread in (None, frozenset({"warboy npu0"})):
        host.unread = unread
        host.states(101.0)
        assert (states_of(host), "WARBOY-0" in host.pool.cards) == ({"WARBOY-1": "idle"}, True)
    host.cards, host.unread = (warboy(), warboy(index=1)), frozenset()
    host.states(102.0)
    assert states_of(host) == {"WARBOY-0": "idle", "WARBOY-1": "idle"}


def test_a_card_that_another_plane_knew_is_no_unit_of_this_one() -> None:
    """Its units have other ids."""
    host = Host(warboy(), remembered={"WARBOY-7": GONE}, known={"WARBOY-7": KNOWN["WARBOY-0"]}, slicing=PARTITIONED)
    host.states(101.0)
    assert set(states_of(host)) == {"npu-warboy-0", "npu-warboy-0-pe0", "npu-warboy-0-pe1"}
