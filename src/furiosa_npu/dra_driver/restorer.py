"""What a driver does when it starts, before it prepares anything: cleans up, and makes a lost state out anew."""

from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from furiosa_npu.dra_driver.claim import Claim, ClaimName, NotFetched
from furiosa_npu.dra_driver.claim_store import ClaimStore
from furiosa_npu.dra_driver.preparation import Node
from furiosa_npu.dra_driver.preparer import Fetch, InThread, Look, devices_of
from furiosa_npu.dra_driver.recovery import Stale, files_without_entry, rebuilt, stale
from furiosa_npu.dra_driver.state_file import StateLost

FetchAll = Callable[[], Awaitable[Mapping[str, Claim | NotFetched]]]
"""All claims that the API server has, by UID, or an error: one that is left out counts as gone."""


class Restored(NamedTuple):
    """What was done, to be told."""

    lost: str | None = None
    """why the state had to be made out anew, or None"""
    kept_as: str | None = None
    """where the damaged file is kept"""
    files_removed: tuple[str, ...] = ()
    """UIDs of claims whose CDI files had no entry"""
    ended: tuple[Stale, ...] = ()
    """entries of another boot that were removed"""
    unasked: str | None = None
    """why of entries of another boot it is not known whether the API server backs them, or None"""
    stale: tuple[Stale, ...] = ()
    """entries that wait for the kubelet's Unprepare, though the API server no longer backs them"""


class Restorer:
    """Of one instance."""

    def __init__(
        self, store: ClaimStore, node: Node, fetch: Fetch, fetch_all: FetchAll, look: Look, in_thread: InThread
    ) -> None:
        """`fetch_all` is asked only where the state is lost: a cluster may have many claims."""
        self._store = store
        self._node = node
        self._fetch = fetch
        self._fetch_all = fetch_all
        self._look = look
        self._in_thread = in_thread

    async def clean(self) -> Restored:
        """Removes CDI files without entry, and writes those that are missing of this boot's entries; on a node without
        any makes the state file, so that a missing one is a lost one from then on. Asks nobody. Raises StateLost:
        `rebuild`, then.
        """
        return await self._in_thread(self._clean)

    async def rebuild(self) -> Restored:
        """Makes a lost state out anew, and keeps the damaged file beside. Raises Unclear, StateError, ClaimFilesError;
        then nothing was changed, and the next try may do better.
        """
        claims = await self._fetch_all()
        uids = await self._in_thread(self._uids)
        looks = await self._look(devices_of(claims[uid] for uid in uids if uid in claims))

        def work() -> Restored:
            with self._store.locked() as store:
                try:
                    store.read()
                except StateLost as lost:
                    state = rebuilt(store.files.specifications(), claims, looks, self._node)
                    kept_as = store.state.keep_damaged() if store.state.exists() else None
                    store.state.write(state)
                    return Restored(str(lost), kept_as)
                return Restored()

        return await self._in_thread(work)

    async def end_stale(self) -> Restored:
        """Removes what another boot left and the API server no longer backs; says what of this boot it does not."""
        fetched = await self._fetch(await self._in_thread(self._names))
        claims = {
            named.uid: claim
            for named, claim in fetched.items()
            if claim is not None and (isinstance(claim, NotFetched) or claim.named.uid == named.uid)
        }

        def work() -> Restored:
            with self._store.locked() as store:
                state = {uid: entry for uid, entry in store.read().items() if entry.named in fetched}
                found = stale(state, claims, self._node)
                of_another_boot = (
                    claims.get(uid) for uid, entry in state.items() if entry.boot_id != self._node.boot_id
                )
                unasked = next((claim.reason for claim in of_another_boot if isinstance(claim, NotFetched)), None)
                ended = tuple(entry for entry in found if entry.ended)
                for entry in ended:
                    store.files.remove(entry.uid)
                if ended:
                    gone = {entry.uid for entry in ended}
                    store.state.write({uid: claim for uid, claim in store.read().items() if uid not in gone})
                return Restored(ended=ended, unasked=unasked, stale=tuple(entry for entry in found if not entry.ended))

        return await self._in_thread(work)

    def _clean(self) -> Restored:
        with self._store.locked() as store:
            state = store.read()
            store.files.remove_begun()
            removed = files_without_entry(state, store.files.uids())
            for uid in removed:
                store.files.remove(uid)
            store.put_back(state, self._node.boot_id)
            if not store.state.exists():
                store.state.write({})
            return Restored(files_removed=removed)

    def _names(self) -> list[ClaimName]:
        with self._store.locked() as store:
            return [claim.named for claim in store.read().values()]

    def _uids(self) -> tuple[str, ...]:
        with self._store.locked() as store:
            return store.files.uids()
