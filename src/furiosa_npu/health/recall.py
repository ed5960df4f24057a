"""What must not be forgotten of a card when the agent ends: as a document, both ways. Pure.

Only within one boot of the machine: its clock, which the times are of, and a heartbeat's movement begin anew with it.
"""

from collections.abc import Mapping
from typing import Any, get_args

from furiosa_npu.health.history import NEW, Heartbeat, Standing
from furiosa_npu.health.verdict import State, Verdict

FORMAT = 1

Entry = dict[str, Any]


class RecallError(ValueError):
    """The document is not one of ours; the message says what was found and expected."""


def to_document(boot_id: str, verdicts: Mapping[str, Verdict]) -> dict[str, Any]:
    """For JSON. By unit id, those alone of which there is something to remember: it changes when that changes."""
    cards = {unit_id: entry for unit_id, verdict in sorted(verdicts.items()) if (entry := _entry(verdict))}
    return {"format": FORMAT, "boot_id": boot_id, "cards": cards}


def from_document(document: object, boot_id: str) -> dict[str, Verdict]:
    """The verdicts as they were, by unit id; none where the machine was started anew since. Raises RecallError."""
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise RecallError(f"found {str(document)[:60]!r}, expected a document of format {FORMAT}")
    if document.get("boot_id") != boot_id:
        return {}
    cards = document.get("cards")
    if not isinstance(cards, dict):
        raise RecallError(f"cards: found {str(cards)[:60]!r}, expected a mapping")
    return {str(unit_id): _verdict(str(unit_id), entry) for unit_id, entry in cards.items()}


def _entry(verdict: Verdict) -> Entry:
    entry: Entry = {}
    history = verdict.history
    if history.heartbeat.moved:
        entry["heartbeat_moved"] = True
    standing = history.standing
    if standing.bad_at is None:
        return entry
    entry["flaps"] = standing.flaps
    if standing.good_since is None:
        entry |= {
            "state": verdict.state,
            "sign": verdict.sign,
            "reason": verdict.reason,
            "since": verdict.since,
        }
        if verdict.sign == "heartbeat-stopped":  # the value does not change as long as that lasts
            entry |= {"heartbeat_seconds": history.heartbeat.seconds, "heartbeat_since": history.heartbeat.since}
        return entry
    return entry | {"bad_at": standing.bad_at, "good_since": standing.good_since}


def _verdict(unit_id: str, entry: object) -> Verdict:
    if not isinstance(entry, dict):
        raise RecallError(f"cards.{unit_id}: found {str(entry)[:60]!r}, expected a mapping")
    flaps = _flaps(unit_id, entry) if "flaps" in entry else None
    state: State = "starting"
    sign = reason = ""
    since = 0.0
    if flaps is None:
        standing = Standing()
    elif "good_since" in entry:
        since = _number(unit_id, entry, "good_since")
        standing = Standing(True, flaps, _number(unit_id, entry, "bad_at"), since)
        state = "probation"
    else:
        since = _number(unit_id, entry, "since")
        standing = Standing(True, flaps, since, None)
        state, sign, reason = _state(unit_id, entry), str(entry.get("sign", "")), str(entry.get("reason", ""))
    heartbeat = Heartbeat(None, since, entry.get("heartbeat_moved") is True)
    if "heartbeat_since" in entry:
        stands_at = int(_number(unit_id, entry, "heartbeat_seconds"))
        heartbeat = heartbeat._replace(seconds=stands_at, since=_number(unit_id, entry, "heartbeat_since"))
    return Verdict(state, sign, reason, since, (), NEW._replace(heartbeat=heartbeat, standing=standing))


def _state(unit_id: str, entry: Entry) -> State:
    states: tuple[State, ...] = get_args(State)
    for state in states:
        if entry.get("state") == state:
            return state
    found = str(entry.get("state"))[:60]
    raise RecallError(f"cards.{unit_id}.state: found {found!r}, expected one of {', '.join(states)}")


def _number(unit_id: str, entry: Entry, key: str) -> float:
    found = entry.get(key)
    if isinstance(found, bool) or not isinstance(found, int | float) or not 0 <= found < 1e12:
        raise RecallError(f"cards.{unit_id}.{key}: found {str(found)[:60]!r}, expected seconds")
    return float(found)


def _flaps(unit_id: str, entry: Entry) -> int:
    found = entry.get("flaps")
    if isinstance(found, bool) or not isinstance(found, int) or not 1 <= found < 1_000_000:
        raise RecallError(f"cards.{unit_id}.flaps: found {str(found)[:60]!r}, expected a whole number from 1")
    return found
