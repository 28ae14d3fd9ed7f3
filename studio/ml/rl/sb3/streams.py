"""The global random streams of torch, NumPy and Python, for code that draws from nothing else.

Its owner borrows them for as long as it runs and gives them back as they were: its draws are then decided by its own
past alone, and nobody else's are moved. One owner has them at a time.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from studio.ml.rl.errors import BadCheckpoint
from studio.ml.rl.learner import Kept

_ONE = threading.RLock()
_State = tuple[torch.Tensor, dict[str, Any], tuple[Any, ...]]


class Streams:
    """One owner's states of the global streams; they begin as the streams are now."""

    def __init__(self) -> None:
        self._kept = _present()

    @contextmanager
    def borrowed(self) -> Iterator[None]:
        """Inside, the global streams go on where this owner left them."""
        with _ONE:
            theirs = _present()
            _set(self._kept)
            try:
                yield
            finally:
                self._kept = _present()
                _set(theirs)

    def keep(self) -> Kept:
        """The states as JSON data and arrays."""
        of_torch, of_numpy, of_python = self._kept
        key = np.asarray(of_numpy["state"]["key"], np.uint32)
        data = {
            "numpy": [int(of_numpy["state"]["pos"]), int(of_numpy["has_gauss"]), float(of_numpy["gauss"])],
            "python": [of_python[0], of_python[2]],
        }
        words: NDArray[Any] = np.array(of_python[1], np.uint64)
        return Kept(data, {"torch": of_torch.numpy().copy(), "numpy": key.copy(), "python": words})

    def put_back(self, kept: Kept) -> None:
        """Raises BadCheckpoint and then changes nothing."""
        try:
            pos, has_gauss, gauss = kept.data["numpy"]
            version, spare = kept.data["python"]
            of_numpy = {
                "bit_generator": "MT19937", "has_gauss": int(has_gauss), "gauss": float(gauss),
                "state": {"key": np.asarray(kept.arrays["numpy"], np.uint32), "pos": int(pos)},
            }
            words = tuple(int(word) for word in kept.arrays["python"])
            found = (torch.from_numpy(kept.arrays["torch"].copy()), of_numpy, (version, words, spare))
            with _ONE:
                theirs = _present()
                try:
                    _set(found)
                finally:
                    _set(theirs)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise BadCheckpoint(f"The random streams in the checkpoint cannot be read ({error}).") from error
        self._kept = found


def _present() -> _State:
    of_numpy = np.random.get_state(legacy=False)
    assert isinstance(of_numpy, dict)
    return torch.get_rng_state(), of_numpy, random.getstate()


def _set(state: _State) -> None:
    torch.set_rng_state(state[0])
    np.random.set_state(state[1])
    random.setstate(state[2])
