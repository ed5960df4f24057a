"""When `status.devices` of prepared claims is written, and when not."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

from furiosa_npu.allocation.pool import Pool, Unit
from furiosa_npu.cluster.api import Answer, ApiRequest
from furiosa_npu.cluster.retry import REFUSALS
from furiosa_npu.dra_driver.claim_status import Ready
from furiosa_npu.dra_driver.claim_statuses import GATHER_SECONDS, ClaimStatuses, is_known, readiness
from furiosa_npu.dra_driver.claims_api import ClaimsApi
from furiosa_npu.dra_driver.preparation import prepare
from furiosa_npu.dra_driver.prepared import PreparedClaim
from furiosa_npu.health.judge import Circumstances, Rules, judge
from furiosa_npu.health.verdict import State
from tests.jumping_loop import run
from tests.unit.claims import UIDS, WARBOYS, claim, claim_document, node, result
from tests.unit.readings import warboy

OTHERS = {"driver": "gpu.example.com", "pool": "node-1", "device": "gpu-0"}


def prepared(name: str, device: str, uid: str) -> PreparedClaim:
    of = claim(name, [result(device)], uid=uid)
    return prepare(of, of.results or (), WARBOYS, {}, node())


ONE, TWO = prepared("one", "npu-w0", UIDS[1]), prepared("two", "npu-w1", UIDS[2])


class Server:
    """An API server with claims, their statuses as a driver's applies left them, and another driver's beside."""

    def __init__(self) -> None:
        self.claims = {
            one.named.name: claim_document(one.named.name, [result(device.device) for device in one.devices], uid=uid)
            for uid, one in ((UIDS[1], ONE), (UIDS[2], TWO))
        }
        self.calls: list[str] = []
        self.answers_with: int | None = 200

    async def ask(self, requests: Sequence[ApiRequest]) -> tuple[Answer, ...]:
        return tuple(map(self._answer, requests))

    def _answer(self, request: ApiRequest) -> Answer:
        name = request.path.partition("?")[0].removesuffix("/status").rpartition("/")[2]
        self.calls.append(f"{request.method} {name}")
        if self.answers_with != 200:
            return Answer(self.answers_with, {"message": "no"}, None if self.answers_with else "away")
        if name not in self.claims:
            return Answer(404, {"details": {"kind": "resourceclaims"}, "message": "not found"}, None)
        if request.method == "PATCH":
            applied = json.loads(request.body or "")["status"]["devices"]
            self.claims[name]["status"]["devices"] = [OTHERS, *applied]
        return Answer(200, json.loads(json.dumps(self.claims[name])), None)


class Driver:
    """One life of a driver that has these claims; cards are not seen, which is told of them. Made inside a loop."""

    def __init__(self, server: Server, *claims: PreparedClaim, epoch: float = 0.0) -> None:
        self.claims = ClaimsApi(server.ask)
        self.warnings: list[str] = []
        self._statuses = ClaimStatuses(server.ask, self.claims, self.warnings.append, lambda: 1.0)
        self._prepared = claims
        self._epoch = epoch
        self.pool: Pool = {}

    async def live(self, seconds: float = 10.0) -> None:
        """As long as that; what is prepared is looked at in each of them."""
        task = asyncio.create_task(self._statuses.run())
        for _ in range(int(seconds)):
            held = [device.device for claim in self._prepared for device in claim.devices]
            self._statuses.want(self._prepared, self.pool, held, self._epoch, all_seen=True)
            await asyncio.sleep(1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def conditions(server: Server, name: str) -> Mapping[str, Any]:
    """Those of our device of this claim."""
    (ours,) = [entry for entry in server.claims[name]["status"]["devices"] if entry != OTHERS]
    (condition,) = ours["conditions"]
    return dict(condition)


def test_what_stands_there_is_not_written_again_by_the_next_driver() -> None:
    """It asks once what stands there; when a condition began makes no difference."""

    async def story() -> None:
        server = Server()
        await Driver(server, ONE, TWO).live()
        assert server.calls == ["GET one", "GET two", "PATCH one", "PATCH two"]
        assert conditions(server, "one")["lastTransitionTime"] == "1970-01-01T00:00:00Z"
        server.calls.clear()
        await Driver(server, ONE, TWO, epoch=3600.0).live()
        assert server.calls == ["GET one", "GET two"]
        assert conditions(server, "one")["lastTransitionTime"] == "1970-01-01T00:00:00Z"

    run(story())


def pool_of_one(state: State, since: float) -> Pool:
    """The first claim's card in this state, and no other card."""
    card = warboy()
    verdict = judge(None, card, Circumstances(), Rules(), since)
    return {"npu-w0": Unit("npu-w0", "WARBOY-0", card, verdict._replace(state=state, since=since, reason="as told"))}


def test_when_a_condition_began_changes_with_its_status_alone() -> None:
    """Not with its reason, nor with the driver that writes it: how long has the card been Ready, or not?"""

    async def story() -> None:
        server = Server()
        told = []
        lives: tuple[tuple[tuple[State, float], ...], ...] = (
            (("idle", 0.0), ("allocated", 60.0), ("failed", 120.0), ("unreadable", 180.0)),
            (("probation", 240.0), ("allocated", 300.0), ("idle", 360.0)),
        )
        for states in lives:
            driver = Driver(server, ONE)
            for state, since in states:
                driver.pool = pool_of_one(state, since)
                await driver.live()
                condition = conditions(server, "one")
                told.append((condition["status"], condition["message"][:17], condition["lastTransitionTime"][14:19]))
        assert told == [
            ("True", "", "00:00"),
            ("True", "", "00:00"),
            ("False", "npu0 has failed: ", "02:00"),
            ("False", "npu0 is unreadabl", "02:00"),
            ("False", "npu0 is on probat", "02:00"),
            ("True", "", "05:00"),
            ("True", "", "05:00"),
        ]

    run(story())


def test_a_well_card_that_its_pod_keeps_while_it_is_disabled_is_ready() -> None:
    """Of one that is only looked at by admin access it is not known: not held, it says no fault beside."""
    watching = claim("watch", [result("npu-w0", adminAccess=True)])
    monitor = prepare(watching, watching.results or (), WARBOYS, {}, node())
    pool = pool_of_one("disabled", 60.0)
    assert readiness(ONE, pool, 0.0) == {"npu-w0": Ready(True, "Prepared", "", 60.0)}
    assert readiness(monitor, pool, 0.0) == {"npu-w0": Ready(False, "Disabled", "npu0 is disabled: as told", 60.0)}


def test_what_differs_from_what_stands_there_is_written_once() -> None:
    """Of the claims of which that is so alone."""

    async def story() -> None:
        server = Server()
        await Driver(server, ONE, TWO).live()
        server.calls.clear()
        conditioned = server.claims["two"]["status"]["devices"][1]["conditions"][0]
        conditioned |= {"status": "True", "reason": "Prepared", "message": ""}
        await Driver(server, ONE, TWO).live()
        assert server.calls == ["GET one", "GET two", "PATCH two"]
        expected = readiness(TWO, {}, 0.0)["npu-w1"]
        assert (conditions(server, "two")["reason"], conditions(server, "two")["message"]) == expected[1:3]

    run(story())


def test_a_claim_is_not_spoken_of_before_its_cards_were_judged_as_its_own() -> None:
    """At a driver's start they are not seen yet, or are in use by nobody knows whom: that would be written, and what is
    so a moment later.
    """
    card = warboy()
    pool = {"npu-w0": Unit("npu-w0", "WARBOY-0", card, judge(None, card, Circumstances(), Rules(), 1.0))}
    both = {"npu-w0", "npu-w1"}
    assert [is_known(one, pool, both, all_seen=False) for one in (ONE, TWO)] == [True, False]
    assert [is_known(one, pool, both, all_seen=True) for one in (ONE, TWO)] == [True, True]
    assert not is_known(ONE, pool, (), all_seen=True)
    watching = claim("watch", [result("npu-w0", adminAccess=True)])
    assert is_known(prepare(watching, watching.results or (), WARBOYS, {}, node()), pool, (), all_seen=False)


def test_what_was_fetched_to_prepare_a_claim_is_not_fetched_again() -> None:
    """Between that and the claim's status lies less than a second."""

    async def story() -> None:
        server = Server()
        driver = Driver(server, ONE)
        await driver.claims.fetch([ONE.named])
        await driver.live()
        assert server.calls == ["GET one", "PATCH one"]

    run(story())


def test_a_claim_that_is_gone_has_no_status_to_be_written() -> None:
    """Nor has one that another has the name of by now; neither is asked about again."""

    async def story() -> None:
        server = Server()
        del server.claims["one"]
        server.claims["two"]["metadata"]["uid"] = UIDS[3]
        driver = Driver(server, ONE, TWO)
        await driver.live()
        assert (server.calls, driver.warnings) == (["GET one", "GET two"], [])

    run(story())


def test_an_api_server_that_is_away_gets_it_later() -> None:
    """Tried ever more rarely, and said once."""

    async def story() -> None:
        server = Server()
        server.answers_with = None
        driver = Driver(server, ONE)
        await driver.live(20)
        assert server.calls == ["GET one"] * 5
        assert driver.warnings == ["the status of a claim is not written: away"]
        server.answers_with = 200
        await driver.live(20)
        assert server.calls[5:] == ["GET one", "PATCH one"]

    run(story())


def test_a_claim_that_cannot_be_had_keeps_no_other_from_being_written() -> None:
    """It is asked for again, ever more rarely."""

    async def story() -> None:
        server = Server()
        server.claims["one"]["metadata"] = {}
        driver = Driver(server, ONE, TWO)
        await driver.live(5)
        assert server.calls == ["GET one", "GET two", "PATCH two", "GET one", "GET one"]

    run(story())


def test_a_right_that_is_missing_is_said_and_not_asked_for_for_ever() -> None:
    """An API server that starts may not have loaded its roles yet; then, until a driver starts anew."""

    async def story() -> None:
        server = Server()
        driver = Driver(server, ONE)
        await driver.claims.fetch([ONE.named])
        server.answers_with = 403
        await driver.live(3600)
        assert server.calls == ["GET one", *["PATCH one"] * REFUSALS]
        (warning,) = driver.warnings
        assert "the right to patch resourceclaims/status is missing" in warning

    run(story())


def test_a_right_that_comes_a_moment_later_is_used() -> None:
    """What was refused stands there then, and is not written twice."""

    async def story() -> None:
        server = Server()
        driver = Driver(server, ONE)
        await driver.claims.fetch([ONE.named])
        server.answers_with = 403
        living = asyncio.create_task(driver.live(3600))
        await asyncio.sleep(GATHER_SECONDS + 1)
        refused, server.answers_with = len(server.calls), 200
        await living
        assert server.calls[refused:] == ["PATCH one"]
        assert ONE.devices[0].device in {one["device"] for one in server.claims["one"]["status"]["devices"]}

    run(story())
