"""Where the options want the labels put, and how it is asked; what nobody wants is not imported."""

import os
from collections.abc import Callable
from typing import NamedTuple

from furiosa_npu.cluster.api import Access, Answer, ApiRequest, is_configured
from furiosa_npu.cluster.child import Call
from furiosa_npu.cluster.node import EXPECTED_NODE_NAME, is_node_name
from furiosa_npu.node_labeller.board import Board, NodesLabels
from furiosa_npu.node_labeller.settings import Settings


class Publishing(NamedTuple):
    """A board and the way to it."""

    board: Board
    send: Callable[[ApiRequest], Call | Answer]
    """sets a request on its way, or answers it at once; raises OSError where no process can be had"""


def publishing(settings: Settings) -> Publishing:
    """Raises ValueError, whose text says what was found and expected, where the options do not suffice for it."""
    if settings.publish == "features.d":
        from furiosa_npu.node_labeller import features_file

        return Publishing(features_file.FeaturesFile(settings.features_dir), features_file.ask)
    name = settings.node_name
    if name is None or not is_node_name(name):
        found = "nothing" if name is None else f"'{name}'"
        raise ValueError(f"--node-name (environment variable NODE_NAME): found {found}, expected {EXPECTED_NODE_NAME}")
    if not is_configured(settings.kubeconfig, os.environ):
        raise ValueError("found no cluster around this process, expected --kubeconfig FILE (or to run in a pod)")
    access = Access(settings.kubeconfig)
    return Publishing(_board(settings, name), lambda request: Call(access, (request,)))


def _board(settings: Settings, node: str) -> Board:
    if settings.publish == "node":
        return NodesLabels(node)
    from furiosa_npu.node_labeller.node_feature import NodeFeature

    return NodeFeature(settings.node_feature_namespace, node)
