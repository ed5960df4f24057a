"""What is wrong at the moment, part by part: said in the log when it changes, and in `/readyz` as long as it lasts."""

from furiosa_npu.agent.log import Log


class Conditions:
    """Parts of the agent, each well or in trouble with a sentence that says why."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._troubles: dict[str, str] = {}
        self._waits: dict[str, str] = {}
        self._remarks: dict[str, str] = {}

    def well(self, part: str) -> None:
        """The part works; said once after a trouble."""
        self._waits.pop(part, None)
        if self._troubles.pop(part, None) is not None or self._remarks.pop(part, None) is not None:
            self._log.info("well again", part=part)

    def trouble(self, part: str, reason: str) -> None:
        """The part does not work, because of `reason`; said once a reason."""
        if self._troubles.get(part) != reason:
            self._log.warning(reason, part=part)
        self._troubles[part] = reason

    def waiting(self, part: str, reason: str) -> None:
        """The part does not work yet, and that is no news: a trouble that is not said in the log."""
        self._waits[part] = reason

    def remark(self, part: str, reason: str) -> None:
        """Something is missing that the agent serves without: said once a reason, and no matter of readiness."""
        if self._remarks.get(part) != reason:
            self._log.warning(reason, part=part)
        self._remarks[part] = reason

    def troubles(self) -> tuple[tuple[str, str], ...]:
        """Parts in trouble and why, by name."""
        return tuple(sorted((self._waits | self._troubles).items()))
