"""Which of a node's instances is the newest: by the order in which they came, as long as they live."""

import gc
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from furiosa_npu.dra_driver.instance_order import KEPT, InstanceOrder


def joined(folder: Path, *instances: str) -> list[InstanceOrder]:
    """In this order."""
    orders = [InstanceOrder(str(folder), instance) for instance in instances]
    for order in orders:
        order.join()
    return orders


def newest(orders: list[InstanceOrder]) -> list[bool]:
    return [order.is_newest() for order in orders]


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_one_that_came_last_is_the_newest_until_it_leaves(tmp_path: Path) -> None:
    """Whatever the instances are called. One that left still knows that nobody came after it."""
    orders = joined(tmp_path, "c", "a", "b")
    assert newest(orders) == [False, False, True]
    orders[2].leave()
    assert newest(orders) == [False, True, True]
    orders[0].leave()
    assert newest(orders) == [False, True, True]


def test_one_that_has_not_joined_yet_is_the_newest_where_nobody_lives(tmp_path: Path) -> None:
    """What is left of those before does not count."""
    early = InstanceOrder(str(tmp_path), "a")
    assert early.is_newest()
    (other,) = joined(tmp_path, "b")
    assert (early.is_newest(), other.is_newest()) == (False, True)
    other.leave()
    assert early.is_newest()


def test_one_is_alone_when_no_other_lives_older_or_newer(tmp_path: Path) -> None:
    """Where that cannot be told it is not."""
    old, new = joined(tmp_path, "old", "new")
    assert (old.is_alone(), new.is_alone()) == (False, False)
    old.leave()
    assert (old.is_alone(), new.is_alone()) == (False, True)
    new.leave()
    assert (old.is_alone(), new.is_alone()) == (True, True)
    assert not InstanceOrder(f"{tmp_path}/none", "a").is_alone()


def test_one_that_is_killed_is_the_newest_no_more(tmp_path: Path) -> None:
    """Its file stays: nothing holds it."""
    program = (
        "import sys, time\n"
        "from furiosa_npu.dra_driver.instance_order import InstanceOrder\n"
        "order = InstanceOrder(sys.argv[1], 'new')\n"
        "order.join()\n"
        "print(order.is_newest(), flush=True)\n"
        "time.sleep(60)\n"
    )
    (old,) = joined(tmp_path, "old")
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE) as new:
        assert new.stdout is not None
        assert new.stdout.readline() == b"True\n"
        assert not old.is_newest()
        new.kill()
        new.wait()
    assert (files(tmp_path), old.is_newest()) == (["1-old.instance", "2-new.instance"], True)


def test_a_container_that_starts_anew_in_its_pod_has_its_old_place(tmp_path: Path) -> None:
    """The old pod's is not the newest by that, and the new pod's is again."""
    old, new = joined(tmp_path, "old-pod", "new-pod")
    old.leave()
    (old,) = joined(tmp_path, "old-pod")
    assert newest([old, new]) == [False, True]
    new.leave()
    assert old.is_newest()
    (new,) = joined(tmp_path, "new-pod")
    assert newest([old, new]) == [False, True]


def test_one_that_has_a_living_ones_name_is_told(tmp_path: Path) -> None:
    """Once, when it comes: from then on the file is its own, too."""
    (first,) = joined(tmp_path, "driver")
    second = InstanceOrder(str(tmp_path), "driver")
    assert (second.join(), second.join(), first.join()) == (f"{tmp_path}/1-driver.instance", None, None)
    first.leave()
    second.leave()
    assert InstanceOrder(str(tmp_path), "driver").join() is None


def test_no_clock_is_asked(tmp_path: Path) -> None:
    """Files of the same instant, or of a clock that was set back, are in the order in which they came."""
    orders = joined(tmp_path, "old", "new")
    for seconds, name in ((2_000_000_000, "1-old.instance"), (0, "2-new.instance")):
        os.utime(tmp_path / name, (seconds, seconds))
    os.chmod(tmp_path / "1-old.instance", 0o640)  # its ctime is the later one now
    assert newest(orders) == [False, True]


def test_a_file_that_was_removed_by_hand_is_made_again_at_its_place(tmp_path: Path) -> None:
    """At the next `join`; whichever it was, the older one is not the newest by that."""
    orders = joined(tmp_path, "old", "new")
    for name in files(tmp_path):
        (tmp_path / name).unlink()
    for order in orders:
        order.join()
    assert (files(tmp_path), newest(orders)) == (["1-old.instance", "2-new.instance"], [False, True])


def test_joining_again_changes_nothing(tmp_path: Path) -> None:
    """And holds no more descriptors than before."""
    orders = joined(tmp_path, "old", "new")
    gc.collect()  # what was forgotten gives no descriptor back later
    descriptors = len(os.listdir("/proc/self/fd"))
    orders[0].join()
    assert (files(tmp_path), newest(orders)) == (["1-old.instance", "2-new.instance"], [False, True])
    assert len(os.listdir("/proc/self/fd")) == descriptors
    for order in orders:
        order.leave()
    assert len(os.listdir("/proc/self/fd")) == descriptors - 2


def test_files_of_long_ago_are_removed(tmp_path: Path) -> None:
    """Not those of instances that live, nor what is none of ours."""
    strange = ["0x1-a.instance", "007-a.instance", "2-b.sock", "instance", "²-a.instance"]
    for name in strange:
        (tmp_path / name).touch()
    (first,) = joined(tmp_path, "first")
    for number in range(2 * KEPT):
        (order,) = joined(tmp_path, f"uid-{number}")
        order.leave()
    kept = [f"{number + 2}-uid-{number}.instance" for number in range(KEPT - 1, 2 * KEPT)]
    assert files(tmp_path) == sorted(["1-first.instance", *kept, *strange])
    assert first.is_newest()


def test_those_that_come_at_once_come_one_after_another(tmp_path: Path) -> None:
    """One of them is the newest, and no more."""
    orders = [InstanceOrder(str(tmp_path), f"uid-{number}") for number in range(12)]
    with ThreadPoolExecutor(len(orders)) as pool:
        list(pool.map(InstanceOrder.join, orders))
    assert sorted(newest(orders)) == [False] * 11 + [True]
    assert sorted(int(name.partition("-")[0]) for name in files(tmp_path)) == list(range(1, 13))


def test_where_it_cannot_be_told_nobody_is_the_newest(tmp_path: Path) -> None:
    """And who cannot join is told why."""
    (tmp_path / "file").touch()
    order = InstanceOrder(str(tmp_path / "file"), "a")
    assert not order.is_newest()
    with pytest.raises(NotADirectoryError, match="file"):
        order.join()
    assert not order.is_newest()


def test_where_the_folder_was_not_made_yet_nobody_came_before(tmp_path: Path) -> None:
    """A driver that waits for its kubelet, and ends, has the last word all the same."""
    order = InstanceOrder(str(tmp_path / "none"), "a")
    assert order.is_newest()
    with pytest.raises(FileNotFoundError, match="none"):
        order.join()
