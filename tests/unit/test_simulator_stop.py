"""How the simulator's commands are told to stop."""

import select
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from furiosa_npu.simulator.stop import stop_descriptor


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_tells_before_the_interpreter_gets_to_it(number: signal.Signals) -> None:
    """One that comes just before select(2) must wake it: here the main thread, which runs handlers, waits in a lock."""

    def told() -> bool:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])
        signal.raise_signal(number)
        return bool(select.select([stop], [], [], 0)[0])

    handlers = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [number])
    stop = stop_descriptor()
    try:
        with ThreadPoolExecutor(1) as threads:
            assert threads.submit(told).result()
    finally:
        signal.set_wakeup_fd(-1)
        for each, handler in handlers.items():
            signal.signal(each, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
