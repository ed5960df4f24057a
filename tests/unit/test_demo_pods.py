"""Pods: what is read of a manifest, and what the scheduler counts."""

import pytest

from furiosa_npu.demo.pods import Container, ManifestError, Pod, parse_pod, requests

MANIFEST = """\
apiVersion: v1
kind: Pod
metadata: {name: two, namespace: lab}
spec:
  initContainers:
    - {name: load, image: a, resources: {limits: {furiosa.ai/npu: 2}}}
  containers:
    - {name: main, image: a, resources: {limits: {alpha.furiosa.ai/npu: "1", cpu: 500m, memory: 1Gi}}}
    - {name: side, image: a}
"""


def test_a_manifest_is_read_as_far_as_devices_go() -> None:
    """Names, namespace and extended resources, written as text or number; CPU and memory are not devices."""
    assert parse_pod(MANIFEST, "uid") == Pod(
        "uid",
        "two",
        (Container("main", {"alpha.furiosa.ai/npu": 1}), Container("side", {})),
        (Container("load", {"furiosa.ai/npu": 2}),),
        "lab",
    )


@pytest.mark.parametrize(
    ("manifest", "complaint"),
    [
        ("a: [", "the manifest is no YAML"),
        ("[]", "the manifest: found '[]', expected an object with metadata"),
        ("metadata: {name: a}", "spec: found 'None', expected an object"),
        ("metadata: {name: a}\nspec: {containers: 3}", "spec.containers: found 3, expected a list"),
        (
            "metadata: {name: a}\nspec: {containers: [{name: b, resources: {limits: {x/y: half}}}]}",
            "spec.containers[0].resources.limits[x/y]: found 'half', expected a whole number of devices",
        ),
        (
            "metadata: {name: a}\nspec: {containers: [{name: b, resources: {limits: {x/y: 1.5}}}]}",
            "spec.containers[0].resources.limits[x/y]: found 1.5, expected a whole number of devices",
        ),
        (
            "metadata: {name: a}\nspec: {containers: [{name: b, resources: 7}]}",
            "spec.containers[0].resources: found '7', expected an object",
        ),
    ],
)
def test_a_bad_manifest_is_refused_by_field(manifest: str, complaint: str) -> None:
    """Which field, what was found, what was expected."""
    with pytest.raises(ManifestError) as refused:
        parse_pod(manifest, "uid")
    assert complaint in str(refused.value)


def test_the_scheduler_counts_the_larger_of_init_and_app_containers() -> None:
    """App containers run together, init containers one after another."""
    pod = Pod(
        "uid",
        "name",
        (Container("a", {"x/y": 1}), Container("b", {"x/y": 1, "x/z": 1})),
        (Container("c", {"x/y": 3}), Container("d", {"x/w": 1, "x/y": 1})),
    )
    assert requests(pod) == {"x/y": 3, "x/z": 1, "x/w": 1}
