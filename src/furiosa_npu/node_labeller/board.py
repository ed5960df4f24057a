"""Where labels are put: on the node itself, or where Node Feature Discovery takes them from. Pure."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from furiosa_npu.cluster.api import MANAGER, Answer, ApiRequest, complaint
from furiosa_npu.cluster.node import get_node, labels_of, labels_written_by, patch_node_labels
from furiosa_npu.node_labeller.labels import Labels


class Standing(NamedTuple):
    """What is on the board."""

    labels: Mapping[str, str]
    own: frozenset[str]
    """names of those that the labeller wrote"""
    exists: bool = True
    """False: what holds the labels has to be made first"""


class Board(Protocol):
    """Asked by requests, like the API server; each answer says how all of it stands."""

    @property
    def where(self) -> str:
        """For people: `node n1`."""

    def read(self) -> ApiRequest: ...

    def write(self, changes: Labels, standing: Standing) -> ApiRequest:
        """Changes these labels (None: removes), and no other."""

    def standing(self, request: ApiRequest, answer: Answer) -> Standing:
        """Raises ValueError, whose text says why the request did not do its work and whose fault that is."""


class NodesLabels:
    """The labels of the node itself."""

    def __init__(self, node: str) -> None:
        self._node = node

    @property
    def where(self) -> str:
        return f"node {self._node}"

    def read(self) -> ApiRequest:
        return get_node(self._node)

    def write(self, changes: Labels, standing: Standing) -> ApiRequest:
        return patch_node_labels(self._node, changes)

    def standing(self, request: ApiRequest, answer: Answer) -> Standing:
        said = complaint(request, answer)
        if said is not None:
            raise ValueError(said)
        return Standing(labels_of(answer.body), labels_written_by(MANAGER, answer.body))
