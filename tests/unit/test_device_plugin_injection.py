"""Whether a node takes CDI devices, by what its status says of kubelet and runtime."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from furiosa_npu.cluster.node import NodeInfo
from furiosa_npu.device_plugin.injection import lack


@pytest.mark.parametrize(
    ("kubelet", "runtime"),
    [
        ("v1.31.0", "containerd://2.0.0"),
        ("v1.37.2", "containerd://2.4.2"),
        ("v1.32.1+k3s1", "containerd://2.0.2-k3s1"),
        ("v1.33.5-eks-113cf36", "containerd://v2.1"),
        ("v2.0.0", "containerd://10.0.0"),
    ],
)
def test_a_new_kubelet_over_a_new_containerd_takes_them(kubelet: str, runtime: str) -> None:
    """Whatever a distribution puts behind the number."""
    assert lack(NodeInfo(kubelet, runtime)) is None


@pytest.mark.parametrize(
    ("kubelet", "runtime", "said"),
    [
        ("v1.20.2", "containerd://2.0.0", "kubeletVersion is 'v1.20.2', expected for CDI: v1.31 or newer"),
        ("v1.30.14", "containerd://2.0.0", "kubeletVersion is 'v1.30.14', expected"),
        ("v1.3", "containerd://2.0.0", "kubeletVersion is 'v1.3', expected"),
        ("1", "containerd://2.0.0", "kubeletVersion is '1', expected"),
        ("newest", "containerd://2.0.0", "kubeletVersion is 'newest', expected"),
        ("v1.31.0", "containerd://1.7.27", "containerRuntimeVersion is 'containerd://1.7.27', expected for CDI: con"),
        ("v1.31.0", "cri-o://1.31.0", "containerRuntimeVersion is 'cri-o://1.31.0', expected"),
        ("v1.31.0", "docker://28.3.0", "containerRuntimeVersion is 'docker://28.3.0', expected"),
        ("v1.31.0", "containerd", "containerRuntimeVersion is 'containerd', expected"),
        ("v1.31.0", "containerd://2", "containerRuntimeVersion is 'containerd://2', expected"),
        ("v1.31.0", "containerd://２.0", "containerRuntimeVersion is 'containerd://２.0', expected"),
    ],
)
def test_what_is_older_or_unknown_does_not(kubelet: str, runtime: str, said: str) -> None:
    """An older one drops the devices without a word: the reason says which version was found."""
    assert said in (lack(NodeInfo(kubelet, runtime)) or "")


VERSIONS = st.tuples(st.integers(0, 4), st.integers(0, 40))


@given(VERSIONS, VERSIONS, st.sampled_from(["", ".0", ".4+x", ".1-rc.1"]))
def test_versions_are_compared_as_numbers(kubelet: tuple[int, int], runtime: tuple[int, int], tail: str) -> None:
    """1.9 is older than 1.31."""
    info = NodeInfo(f"v{kubelet[0]}.{kubelet[1]}{tail}", f"containerd://{runtime[0]}.{runtime[1]}{tail}")
    assert (lack(info) is None) == (kubelet >= (1, 31) and runtime >= (2, 0))
