"""Worlds from files: a process apart, and an error in words for whatever goes wrong there."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from studio.ml.rl.errors import BadWorld, RLError
from studio.ml.rl.grid import cliff
from studio.ml.rl.worlds import (
    FileChanged, MissingPackage, Replay, UnknownWorld, WorldFailed, WorldHung, Worlds, WorldSpec, describe, offered, trust,
)  # fmt: skip
from studio.ml.rl.worlds.bank import LocalBank
from studio.ml.rl.worlds.opening import opened
from studio.ml.rl.worlds.remote import RemoteBank

ODD = Path(__file__).with_name("odd_worlds.py")
WRONG = {
    "short": "something else than observation", "nan": "not all finite", "inf": "not all finite", "shape": r"shape \(2,\)",
    "words": "real numbers belong", "none": "real numbers belong", "reward": "no number", "rewards": "no number",
    "nan reward": "reward was nan", "end": "terminated was 1", "cut": "truncated was None", "raise": "KeyError: 'lost'",
    "exit": "SystemExit: 3",
}  # fmt: skip


@pytest.fixture
def child() -> Iterator[RemoteBank]:
    bank = RemoteBank(trust(ODD, "Odd"), 2)
    yield bank
    bank.close()


@pytest.mark.parametrize("how", WRONG)
def test_whatever_a_step_gives_is_checked(how: str) -> None:
    """In this process, for speed: the same code runs in the child."""
    single = opened(trust(ODD, "Odd", {"how": how})).single
    single.reset(1)
    single.step(0)
    single.step(1)
    with pytest.raises(WorldFailed, match=WRONG[how]) as caught:
        single.step(0)
    assert "Odd of" in str(caught.value) and "step 3" in str(caught.value)
    assert ("Traceback" in caught.value.details) == (how in ("raise", "exit"))


def test_a_process_apart_gives_what_this_one_gives(child: RemoteBank) -> None:
    here = LocalBank(trust(ODD, "Odd"), 2)
    assert child.description == here.description and here.description.seen == "rgb"
    for bank in (here, child):
        bank.reset(1, 8)
    np.testing.assert_array_equal(child.reset(0, 7), here.reset(0, 7))
    for action in (0, 1, 1):
        for (o, *rest), (p, *others) in zip(child.step([action, 0]), here.step([action, 0]), strict=True):
            np.testing.assert_array_equal(o, p)
            assert o.dtype == p.dtype == np.float32 and rest == others == [others[0], False, False]
    np.testing.assert_array_equal(child.frame(0), here.frame(0))
    assert child.text(0) == "" and child.keep(0) is None and child.act(0, 0)[1] == 1.0
    with pytest.raises(BadWorld, match="process of its own"):
        child.change(cliff())


def test_a_whole_run_in_a_file_goes_on_where_it_was_kept_and_is_seen_again() -> None:
    spec = trust(ODD, "Odd")
    worlds, actions = Worlds(spec, 2, 0), np.random.default_rng(0).integers(0, 2, (50, 2))
    worlds.reset()
    episodes = [episode for action in actions for episode in worlds.step(action).episodes]
    assert [e.place for e in episodes] == [0, 1, 0, 1] and episodes[0].length == 20
    kept = worlds.keep()
    first = worlds.step([0, 1]).final
    worlds.put_back(kept)
    np.testing.assert_array_equal(worlds.step([0, 1]).final, first)
    worlds.close()
    replay = Replay(spec, episodes[2].seed, episodes[2].actions)
    assert replay.at(20, frame=False).total == episodes[2].total and replay.at(3).frame[0, 0, 0] == 3  # type: ignore[index]
    replay.close()


def test_a_world_that_hangs_is_ended() -> None:
    bank = RemoteBank(trust(ODD, "Odd", {"how": "hang"}), 1, patience=2.0)
    bank.reset(0, 0)
    bank.act(0, 0)
    bank.act(0, 0)
    process = bank._process.pid
    began = time.monotonic()
    with pytest.raises(WorldHung, match=r"did not answer act within 2 seconds"):
        bank.act(0, 0)
    assert time.monotonic() - began < 20 and not psutil.pid_exists(process or 0)
    with pytest.raises(WorldFailed, match="runs no more"):
        bank.reset(0, 0)
    bank.close()


def test_a_process_that_dies_says_how() -> None:
    bank = RemoteBank(trust(ODD, "Odd", {"how": "die"}), 1)
    bank.reset(0, 0)
    bank.act(0, 0)
    bank.act(0, 0)
    with pytest.raises(WorldFailed, match="exit code 7 during act"):
        bank.act(0, 0)


def test_garbage_on_the_terminal_is_no_answer(capfd: pytest.CaptureFixture[str]) -> None:
    bank = RemoteBank(trust(ODD, "Odd", {"how": "print"}), 1)
    bank.reset(0, 0)
    assert [bank.act(0, 1)[1] for _ in range(4)] == [2.0] * 4
    bank.close()
    assert "garbage" in capfd.readouterr().out


@pytest.mark.skipif(sys.platform == "win32", reason="asks for the children of a killed process by POSIX means")
def test_it_dies_with_its_parent() -> None:
    """The parent is killed outright while its world is in an endless step."""
    code = (
        "import sys\nfrom studio.ml.rl.worlds import trust\nfrom studio.ml.rl.worlds.remote import RemoteBank\n"
        f"if __name__ == '__main__':\n    bank = RemoteBank(trust({str(ODD)!r}, 'Odd', {{'how': 'hang'}}), 1)\n"
        "    bank.reset(0, 0)\n    bank.act(0, 0)\n    bank.act(0, 0)\n"
        "    print(bank._process.pid, flush=True)\n    bank.act(0, 0)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    gone, alive = psutil.wait_procs([child], timeout=10)
    for process in alive:
        process.kill()
    assert gone and not alive


@pytest.mark.parametrize(
    ("name", "options", "kind", "says"),
    [
        ("nothing", {}, UnknownWorld, "lacks reset, step"),
        ("lacking", {}, MissingPackage, "needs a_package_that_nobody_has.*pip install a_package_that_nobody_has"),
        ("factory", {}, WorldFailed, "could not be made.*missing 1 required"),
        ("Odd", {"how": "", "colour": 3}, WorldFailed, "could not be made.*colour"),
    ],
)
def test_what_cannot_be_made_says_why(name: str, options: dict[str, object], kind: type[RLError], says: str) -> None:
    with pytest.raises(kind, match=says):
        opened(trust(ODD, name, options))


def test_errors_of_the_other_side_arrive_whole() -> None:
    with pytest.raises(MissingPackage, match="nobody_has") as caught:
        describe(trust(ODD, "lacking"))
    assert (caught.value.package, caught.value.command) == ("a_package_that_nobody_has", "pip install a_package_that_nobody_has")


def test_a_file_is_trusted_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_bytes(ODD.read_bytes())
    spec = trust(path, "factory", {"limit": 5})
    assert WorldSpec.from_json(spec.to_json()) == spec and describe(spec).limit is None
    single = opened(spec).single
    single.reset(0)
    assert [single.step(0)[2:] for _ in range(5)][-2:] == [(False, False), (False, True)]
    path.write_text("import os\nos._exit(9)\n")
    with pytest.raises(FileChanged, match="trust it anew"):
        Worlds(spec, 1, 0)
    path.unlink()
    with pytest.raises(UnknownWorld, match="cannot be read"):
        opened(spec)


def test_what_a_file_offers_is_read_without_running_it(tmp_path: Path) -> None:
    assert offered(ODD) == ("Odd", "Windowed", "factory", "lacking", "nothing")
    path = tmp_path / "bad.py"
    path.write_text("raise SystemExit\ndef world(): ...\n")
    assert offered(path) == ("world",)
    with pytest.raises(UnknownWorld, match="no class or function 'other'"):
        trust(path, "other")
    path.write_text("def (")
    with pytest.raises(UnknownWorld, match="not a Python file"):
        trust(path, "world")
    with pytest.raises(UnknownWorld, match="cannot be read"):
        offered(tmp_path / "none.py")


def test_worlds_that_cannot_be_watched_say_so() -> None:
    world = opened(trust(ODD, "Windowed"))
    assert world.description.seen == "none" and "window of its own" in world.description.note
    world.single.reset(0)
    assert world.single.frame() is None and world.single.text() == ""


def test_installed_worlds_may_be_kept_apart_too() -> None:
    apart, here = Worlds(WorldSpec("CartPole-v1"), 2, 3, isolated=True), Worlds(WorldSpec("CartPole-v1"), 2, 3)
    np.testing.assert_array_equal(apart.reset(), here.reset())
    for action in np.random.default_rng(0).integers(0, 2, (40, 2)):
        one, other = apart.step(action), here.step(action)
        assert all(np.array_equal(a, b) for a, b in zip(one[:5], other[:5], strict=True)) and len(one.episodes) == len(other.episodes)
    np.testing.assert_array_equal(apart.frame(), here.frame())
    process = apart._bank._process.pid  # type: ignore[attr-defined]
    apart.close()
    assert process != os.getpid() and not psutil.pid_exists(process)
