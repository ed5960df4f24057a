"""What a crash, a reboot or a damaged file leaves behind: what is removed, what is said, what is made out anew. Pure.

At Prepare the CDI file is written before the entry, at Unprepare it is removed before the entry; so after a crash

* a CDI file without entry was never answered, and is removed (or written again by the kubelet's next Prepare);
* an entry without CDI file gets it again, at the driver's start or when it is answered, or is ended by the kubelet's
  next Unprepare.

Where the state file is damaged or missing, the CDI files say which claims were prepared, and the API server what each
of them holds. Until all of them are made out anew nothing is prepared; Unprepare goes on, and removes the CDI file.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from furiosa_npu.allocation.pe_form import PE_FORMS
from furiosa_npu.cdi.specification import to_document
from furiosa_npu.dra_driver.claim import Claim, NotFetched
from furiosa_npu.dra_driver.claim_cdi import specification
from furiosa_npu.dra_driver.preparation import Looks, Node, Refusal, assemble, check_claim, check_same, conflicts
from furiosa_npu.dra_driver.prepared import PreparedClaim, State


class Stale(NamedTuple):
    """An entry that the API server no longer backs."""

    uid: str
    reason: str
    ended: bool
    """nothing of it can run any more: it is from another boot. Else its pods may run yet, and the kubelet has to say
    Unprepare"""


class Unclear(Exception):
    """What is prepared cannot be made out; the message says of which claims, why, and what to do."""


def files_without_entry(state: State, uids_of_files: Sequence[str]) -> tuple[str, ...]:
    """The CDI files to remove, by claim. Only where the state file could be read."""
    return tuple(uid for uid in uids_of_files if uid not in state)


def stale(state: State, claims: Mapping[str, Claim | NotFetched], node: Node) -> tuple[Stale, ...]:
    """The entries whose claims are gone, or allocated otherwise; `claims`: all that the API server has, by UID."""
    found = []
    for uid, prepared in state.items():
        claim = claims.get(uid)
        if isinstance(claim, NotFetched):
            continue
        try:
            if claim is None:
                raise Refusal(f"{prepared.named} is prepared, and the API server no longer has it")
            check_same(prepared, check_claim(prepared.named, claim, node.pool))
        except Refusal as refusal:
            found.append(Stale(uid, str(refusal), prepared.boot_id != node.boot_id))
    return tuple(found)


def rebuilt(files: Mapping[str, object], claims: Mapping[str, Claim | NotFetched], looks: Looks, node: Node) -> State:
    """What is prepared. Raises Unclear: then it is not known of all claims.

    `files`: the CDI specifications of claims, by UID; None: it cannot be read. `claims`: what the API server has.
    """
    state: dict[str, PreparedClaim] = {}
    unclear = []
    for uid, found in files.items():
        claim = claims.get(uid)
        if claim is None:
            unclear.append(f"the API server has no claim {uid}")
            continue
        if isinstance(claim, NotFetched):
            unclear.append(f"claim {uid}: {claim.reason}")
            continue
        try:
            results = check_claim(claim.named, claim, node.pool)
        except Refusal as refusal:
            unclear.append(str(refusal))
            continue
        missing = [result.device for result in results if result.device not in looks or not looks[result.device].card]
        if missing:
            unclear.append(f"{claim.named}: {', '.join(missing)} is not seen on this node")
            continue
        shared = conflicts(claim.named, results, looks, state, node.boot_id)
        if shared:
            unclear.append(f"{claim.named}: {'; '.join(shared)}")
            continue
        # The setting may have been another one at Prepare.
        possible = [assemble(claim, results, looks, node._replace(pe_form=form)) for form in PE_FORMS]
        prepared = next((one for one in possible if to_document(specification(one)) == found), None)
        if prepared is None:
            unclear.append(f"{claim.named}: its CDI file says otherwise than its allocation and the cards do by now")
            continue
        state[uid] = prepared
    if unclear:
        raise Unclear(
            f"{'; '.join(unclear)}: nothing more is prepared until the kubelet says that their pods have ended, or the "
            "node is drained and their CDI files are removed"
        )
    return state
