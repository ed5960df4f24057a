"""What options of agents that watch cards say together."""

from furiosa_npu.agent.settings import load
from furiosa_npu.device_plugin.settings import PROGRAM, Settings
from furiosa_npu.watch.options import contradiction


def said(*arguments: str) -> str | None:
    invocation = load(PROGRAM, Settings, arguments, {})
    return contradiction(invocation.settings, invocation.origins)


def test_the_first_probation_may_be_as_long_as_the_longest_and_no_longer() -> None:
    """What would be cut short is wrong use, and says so."""
    assert said() is None
    assert said("--probation-seconds=300") is None
    assert said("--probation-seconds=0", "--probation-longest-seconds=0") is None
    assert said("--probation-seconds=20", "--probation-longest-seconds=10") == (
        "--probation-seconds: found 20, expected at most --probation-longest-seconds, which is 10 (command line)"
    )
    assert said("--probation-longest-seconds=0") == (
        "--probation-seconds: found 1, expected at most --probation-longest-seconds, which is 0 (command line)"
    )


def test_faults_are_not_forgotten_before_the_longest_probation_is_over() -> None:
    """Forgetting them ends it."""
    assert said("--probation-quiet-seconds=300") is None
    assert said("--probation-longest-seconds=3600") is None
    assert said("--probation-seconds=60", "--probation-quiet-seconds=10") == (
        "--probation-quiet-seconds: found 10, expected at least --probation-longest-seconds, which is 300 (default)"
    )
    assert said("--probation-longest-seconds=3601") == (
        "--probation-quiet-seconds: found 3600, expected at least --probation-longest-seconds, which is 3601 "
        "(command line)"
    )
