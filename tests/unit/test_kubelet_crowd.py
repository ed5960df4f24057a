"""The connections of a socket: never more than the bound, and never the kubelet's that has to go."""

from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from furiosa_npu.kubelet.bounded_protocol import BoundedProtocol
from furiosa_npu.kubelet.crowd import MAXIMUM_CONNECTIONS, Crowd

TOO_MANY = "more than 8 connections"


class Connection:
    """Stands for a `BoundedProtocol`, of which a crowd asks no more than this."""

    def __init__(self, *, has_called: bool = False, is_served: bool = False) -> None:
        self.has_called = has_called or is_served
        self.is_served = is_served
        self.dropped: str | None = None

    def drop(self, reason: str) -> None:
        assert self.dropped is None, "dropped twice"
        self.dropped = reason


class Server:
    """A crowd, and who is in it by the rules, in the order of each one's last news."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.crowd = Crowd(self.told.append)
        self.members: list[Connection] = []

    def enter(self, newcomer: Connection) -> bool:
        there = self.crowd.enter(cast(BoundedProtocol, newcomer))
        if there:
            self.members = [member for member in self.members if member.dropped is None] + [newcomer]
        return there

    def heard(self, member: Connection) -> None:
        self.crowd.heard(cast(BoundedProtocol, member))
        if member in self.members:
            self.members.remove(member)
            self.members.append(member)

    def leave(self, member: Connection, fault: str) -> None:
        self.crowd.leave(cast(BoundedProtocol, member), fault)
        self.members = [other for other in self.members if other is not member]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["enter", "enter", "enter", "heard", "call", "served", "unserved", "leave", "fault"]),
        st.integers(0, 30),
    ),
    max_size=60,
)


@given(steps=STEPS)
def test_whatever_comes_the_bound_holds_and_who_goes_is_the_least(steps: list[tuple[str, int]]) -> None:
    """First who never made a call, then who is not served, of each kind the idlest; a served one never."""
    server = Server()
    ever: list[Connection] = []
    told: list[str] = []
    for what, which in steps:
        if what == "enter":
            before = list(server.members)
            full = len(before) == MAXIMUM_CONNECTIONS
            least = next((m for m in before if not m.has_called), next((m for m in before if not m.is_served), None))
            newcomer = Connection()
            assert server.enter(newcomer) == (not full or least is not None)
            told += [TOO_MANY] if full else []
            ever.append(newcomer)
            gone = [member for member in before if member.dropped is not None]
            assert gone == ([least] if full and least is not None else [])
            assert all(member.dropped == TOO_MANY for member in gone)
        elif ever:
            member = ever[which % len(ever)]
            if what == "heard":
                server.heard(member)
            elif what in ("leave", "fault"):
                told += ["rubbish"] if what == "fault" and member in server.members else []
                server.leave(member, "rubbish" if what == "fault" else "")
            else:
                member.has_called = True
                member.is_served = what == "served" or (what == "call" and member.is_served)
        assert len(server.members) <= MAXIMUM_CONNECTIONS
        assert server.told == told
    server.crowd.close()
    assert all(member.dropped == "the server is closed" for member in server.members)


def test_where_all_are_served_a_newcomer_has_no_room() -> None:
    """Nobody is dropped for it, and that is said."""
    server = Server()
    members = [Connection(is_served=True) for _ in range(MAXIMUM_CONNECTIONS)]
    assert all(server.enter(member) for member in members)
    assert not server.enter(Connection())
    assert ([member.dropped for member in members], server.told) == ([None] * MAXIMUM_CONNECTIONS, [TOO_MANY])


def test_one_that_was_dropped_leaves_without_a_second_word() -> None:
    """Its connection ends after the crowd has let it go; there is room for one, and no more."""
    server = Server()
    members = [Connection() for _ in range(MAXIMUM_CONNECTIONS)]
    for member in members:
        server.enter(member)
    server.enter(Connection(is_served=True))
    server.leave(members[0], TOO_MANY)
    assert (members[0].dropped, server.told, len(server.members)) == (TOO_MANY, [TOO_MANY], MAXIMUM_CONNECTIONS)


def test_a_closed_crowd_is_empty_and_may_be_entered_again() -> None:
    """A server that starts anew has its room back."""
    server = Server()
    for _ in range(MAXIMUM_CONNECTIONS):
        server.enter(Connection(is_served=True))
    server.crowd.close()
    assert all(server.crowd.enter(cast(BoundedProtocol, Connection())) for _ in range(MAXIMUM_CONNECTIONS))
    assert server.told == []
