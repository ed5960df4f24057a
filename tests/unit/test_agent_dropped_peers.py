"""Lines about dropped peers: a storm of them is a line a minute, and no drop is left uncounted."""

from furiosa_npu.agent.dropped_peers import DroppedPeers
from furiosa_npu.agent.log import Log


def test_a_storm_of_dropped_peers_is_one_line_a_minute_with_their_number() -> None:
    """The first at once, with its reason; those between are counted in the next."""
    lines: list[str] = []
    now = 0.0
    dropped = DroppedPeers("/run/a.sock", Log(write=lines.append, clock=lambda: 0.0), lambda: now)
    for second in range(121):
        now = float(second)
        dropped(f"fault {second}")
    start = "1970-01-01T00:00:00.000Z warning dropped a peer socket=/run/a.sock"
    assert lines == [
        f'{start} reason="fault 0" dropped=1\n',
        f'{start} reason="fault 60" dropped=60\n',
        f'{start} reason="fault 120" dropped=60\n',
    ]
