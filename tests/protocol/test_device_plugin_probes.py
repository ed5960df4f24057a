"""What the plugin says over HTTP and on its command line."""

import asyncio
import json
import sys

import pytest

from furiosa_npu import __version__
from furiosa_npu.demo.node import Node
from tests.protocol.plugin_node import ALPHA, RESOURCES, SECONDS, card_id, cards, free_port, get, until


async def test_readiness_tells_the_truth(folder: str) -> None:
    """Refused by the kubelet: alive and not ready, with the kubelet's words; taken: ready."""
    port = free_port()
    async with Node(folder, cards("warboy")) as node:
        node.kubelet.refuses = "no room"
        await node.start_plugin(listen_address=f"127.0.0.1:{port}")
        register = node.kubelet.journal.of
        await until(
            node,  # the second try comes when the first one's answer was read
            lambda: all(len(register("Register", resource)) >= 2 for resource in RESOURCES),
            "it tries to register again",
        )
        status, body = await get(port, "/readyz")
        assert (status, [resource in body and "no room" in body for resource in RESOURCES]) == (503, [True, True])
        assert (await get(port, "/livez"))[0] == 200
        node.kubelet.refuses = None
        for resource in RESOURCES:
            await node.until_allocatable(resource, 1, SECONDS)
        assert await get(port, "/readyz") == (200, "ok\n")


async def test_the_metrics_name_each_card_its_state_and_reason(folder: str) -> None:
    """A failed card is found without reading logs."""
    port = free_port()
    async with Node(folder, cards("warboy", "warboy")) as node:
        node.simulation.fail("npu1")
        await node.start_plugin(listen_address=f"127.0.0.1:{port}")
        await node.until_allocatable(ALPHA, 1, SECONDS)
        _, page = await get(port, "/metrics")
        states = [line for line in page.splitlines() if line.startswith("furiosa_npu_state{")]
        assert len(states) == 2
        (failed,) = (line for line in states if card_id(1) in line)
        assert 'name="npu1"' in failed
        assert 'state="failed"' in failed
        assert 'reason="not-alive"' in failed
        warm = [line for line in page.splitlines() if line.startswith("furiosa_npu_temperature_celsius{")]
        assert any(card_id(0) in line and 'sensor="PEAK"' in line and float(line.split()[-1]) > 0 for line in warm)


async def _command(*words: str) -> tuple[int | None, str, str]:
    """Exit code, stdout and stderr of the plugin's command."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-OO", "-m", "furiosa_npu.device_plugin", *words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(SECONDS):
        out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def test_help_and_version_exit_with_0() -> None:
    """On stdout; help names each option of the plugin."""
    assert await _command("--version") == (0, f"furiosa-npu-plugin {__version__}\n", "")
    code, out, err = await _command("--help")
    assert (code, err) == (0, "")
    assert all(f"--{name}" in out for name in ("devfs-root", "family", "disable", "unknown-occupancy", "config"))


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ({"defaultPE": "fused"}, "defaultPE"),
        ({"disable": 3}, "disable"),
        ({"family": "tiger"}, "family"),
    ],
)
async def test_a_bad_config_file_is_wrong_use(folder: str, config: dict[str, object], complaint: str) -> None:
    """Exit 2, one line, which names the file and the key."""
    path = f"{folder}/config.yaml"
    with open(path, "w", encoding="utf-8") as file:  # noqa: ASYNC230 - a small file, before anything runs
        json.dump(config, file)
    code, _, err = await _command("--config", path)
    assert code == 2
    assert path in err
    assert complaint in err
    assert err.count("\n") == 1


async def test_a_bad_option_is_wrong_use() -> None:
    """Exit 2, with what was found and what was expected."""
    code, _, err = await _command("--default-pe", "mixed")
    assert code == 2
    assert all(word in err for word in ("--default-pe", "mixed", "fused", "single"))


async def test_a_first_probation_longer_than_the_longest_is_wrong_use() -> None:
    """Both are named, with where the second comes from."""
    code, _, err = await _command("--probation-seconds=301")
    assert code == 2
    assert err == (
        "furiosa-npu-plugin: --probation-seconds: found 301, expected at most --probation-longest-seconds, "
        "which is 300 (default)\n"
    )
