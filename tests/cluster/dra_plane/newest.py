"""Which releases these tests are for."""

import pytest

from tests.cluster.releases import KUBERNETES_1_37

ONLY_1_37 = pytest.mark.only_on(KUBERNETES_1_37, why="extended resources over DRA are on by default from 1.36 on")
