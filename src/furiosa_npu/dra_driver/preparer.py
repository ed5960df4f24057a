"""Prepare and Unprepare, from the kubelet's names to the answers: fetches, looks and writes; what for, others decide.

Files are read and written in threads, under the lock that both instances of a rolling update take in turn. The lock is
not held while the API server is asked and the cards are looked at: what was prepared meanwhile is seen afterwards.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Protocol, TypeVar

from furiosa_npu.dra_driver.claim import Claim, ClaimName, NotFetched
from furiosa_npu.dra_driver.claim_files import ClaimFilesError
from furiosa_npu.dra_driver.claim_store import ClaimStore, LockedStore
from furiosa_npu.dra_driver.preparation import Looks, Node, Refusal, check_claim, check_same, prepare, standing
from furiosa_npu.dra_driver.prepared import PreparedClaim, State
from furiosa_npu.dra_driver.state_file import StateError, StateLost

T = TypeVar("T")


Fetched = Claim | NotFetched | None
"""None: there is no claim of that name."""

Fetch = Callable[[Sequence[ClaimName]], Awaitable[Mapping[ClaimName, Fetched]]]
"""Something for each name."""

Look = Callable[[Sequence[str]], Awaitable[Looks]]
"""By device names; those that are none of this node's are left out."""


class InThread(Protocol):
    """`in_thread`, or one like it."""

    async def __call__(self, work: Callable[[], T], /) -> T: ...


Outcome = PreparedClaim | Refusal


class Preparer:
    """One instance of the driver, as far as claims go. Each call may be broken off while it waits."""

    def __init__(self, store: ClaimStore, node: Node, fetch: Fetch, look: Look, in_thread: InThread) -> None:
        self._store = store
        self._node = node
        self._fetch = fetch
        self._look = look
        self._in_thread = in_thread
        self.closed: str | None = None
        """why nothing new is prepared, such as for a driver that hands its node over; what stands is answered"""

    async def prepare(self, asked: Sequence[ClaimName]) -> dict[ClaimName, Outcome]:
        """What became of each claim."""
        call = _Call()
        try:
            return await self._prepare(tuple(dict.fromkeys(asked)), call)
        finally:
            call.over = True

    async def _prepare(self, asked: Sequence[ClaimName], call: "_Call") -> dict[ClaimName, Outcome]:
        outcomes: dict[ClaimName, Outcome] = {
            named: Refusal(f"{named}: {named.fault}") for named in asked if named.fault is not None
        }
        fetched = await self._fetch([named for named in asked if named not in outcomes])
        outcomes |= await self._in_thread(lambda: self._settle(fetched, None, call))
        open_claims = {named: claim for named, claim in fetched.items() if named not in outcomes}
        if open_claims:
            looks = await self._look(devices_of(open_claims.values()))
            outcomes |= await self._in_thread(lambda: self._settle(open_claims, looks, call))
        return outcomes

    async def unprepare(self, asked: Sequence[ClaimName]) -> dict[ClaimName, Refusal | None]:
        """Of each claim why it is prepared yet, or None: it no longer is, or never was."""
        call = _Call()
        try:
            return await self._in_thread(lambda: self._unprepare(asked, call))
        finally:
            call.over = True

    def _settle(
        self, fetched: Mapping[ClaimName, Fetched], looks: Looks | None, call: "_Call"
    ) -> dict[ClaimName, Outcome]:
        """`looks` None: those that need a look are left out."""
        outcomes: dict[ClaimName, Outcome] = {}
        try:
            with self._store.locked() as store:
                if call.over:
                    return {}
                state = dict(store.read())
                new: list[ClaimName] = []
                for named, claim in fetched.items():
                    try:
                        outcome = self._outcome(named, claim, state, looks)
                        if outcome is None:
                            continue
                        store.files.put(outcome)
                    except Refusal as refusal:
                        outcomes[named] = refusal
                        continue
                    except ClaimFilesError as error:
                        outcomes[named] = Refusal(f"{named}: {error}")
                        continue
                    outcomes[named] = outcome
                    if state.get(named.uid) != outcome:
                        state[named.uid] = outcome
                        new.append(named)
                if new:
                    outcomes |= _written(store, state, new)
        except (StateError, ClaimFilesError) as error:
            # What is lost is made out anew meanwhile; what that waits for says more.
            reason = self.closed if isinstance(error, StateLost) and self.closed is not None else error
            return {named: Refusal(f"{named}: {reason}") for named in fetched}
        return outcomes

    def _outcome(self, named: ClaimName, claim: Fetched, state: State, looks: Looks | None) -> PreparedClaim | None:
        """None: it has to be looked at. Raises Refusal."""
        prepared = standing(state, named, self._node.boot_id)
        if claim is None:
            raise Refusal(f"{named} is gone: the API server has none of that name")
        if isinstance(claim, NotFetched):
            if prepared is None:
                raise Refusal(f"{named}: {claim.reason}")
            return prepared
        results = check_claim(named, claim, self._node.pool)
        if prepared is not None:
            check_same(prepared, results)
            return prepared
        if self.closed is not None:
            raise Refusal(f"{named}: {self.closed}")
        return None if looks is None else prepare(claim, results, looks, state, self._node)

    def _unprepare(self, asked: Sequence[ClaimName], call: "_Call") -> dict[ClaimName, Refusal | None]:
        outcomes: dict[ClaimName, Refusal | None] = {}
        try:
            with self._store.locked() as store:
                if call.over:
                    return {}
                try:
                    state = dict(store.read())
                except StateLost:  # what is prepared is made out anew by the CDI files: without one it is not
                    state = {}
                for named in asked:
                    try:
                        if named.fault is None:
                            store.files.remove(named.uid)
                        outcomes[named] = None
                    except ClaimFilesError as error:
                        outcomes[named] = Refusal(f"{named}: {error}")
                ended = [named.uid for named in asked if outcomes[named] is None and named.uid in state]
                if ended:
                    try:
                        store.state.write({uid: claim for uid, claim in state.items() if uid not in ended})
                    except StateError as error:
                        said = f"{error}; the claim's CDI file is gone all the same, and the kubelet asks again"
                        outcomes |= {named: Refusal(f"{named}: {said}") for named in asked if named.uid in ended}
        except (StateError, ClaimFilesError) as error:
            return {named: Refusal(f"{named}: {error}") for named in asked}
        return outcomes


class _Call:
    """Once it is over nobody hears its answer: what then still waited for the lock prepares nothing, since the kubelet
    may have said Unprepare meanwhile and would not say it again; and ends nothing, for the same with Prepare.
    """

    over = False


def devices_of(fetched: Iterable[Fetched]) -> tuple[str, ...]:
    """What is to be looked at for these claims, each once."""
    claims = [claim for claim in fetched if isinstance(claim, Claim)]
    return tuple(dict.fromkeys(result.device for claim in claims for result in claim.results or ()))


def _written(store: LockedStore, state: State, new: Sequence[ClaimName]) -> dict[ClaimName, Outcome]:
    """Nothing where the state is on the disk; else refusals, and the CDI files of what is not prepared are gone."""
    try:
        store.state.write(state)
    except StateError as error:
        for named in new:
            with suppress(ClaimFilesError):  # a file without entry is removed at the next start
                store.files.remove(named.uid)
        return {named: Refusal(f"{named}: {error}") for named in new}
    return {}
