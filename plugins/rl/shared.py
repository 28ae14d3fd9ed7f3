"""Things that the window and the process which trains both know, by a key: each has its own, and what the hand turns is told.

Pickled, such a thing is its key: in the other process it is that process's own. Assigning one of its `turned` attributes
here assigns it there too, as long as `annex` is set; nothing comes back that way.
"""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import uuid4
from weakref import WeakValueDictionary

from studio.engine import Annex

_HERE: WeakValueDictionary[str, Shared] = WeakValueDictionary()
_VISITORS: dict[str, Shared] = {}
"""Those that came from the other process: they stay until they are let go of."""


class Shared:
    """A subclass sets `turned` and says in `made_of` what its constructor takes. annex: where it is told what is turned."""

    turned: ClassVar[tuple[str, ...]] = ()
    annex: Annex | None = None

    def __init__(self) -> None:
        self.key = uuid4().hex
        _HERE[self.key] = self

    def made_of(self) -> tuple[Any, ...]:
        """What makes another like it."""
        return ()

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if self.annex is not None and name in self.turned:
            self.annex.call(_turn, self.key, name, value)

    def tell(self, method: str, *values: Any) -> None:
        """Call a method here and there."""
        getattr(self, method)(*values)
        if self.annex is not None:
            self.annex.call(_told, self.key, method, values)

    def __reduce__(self) -> tuple[Any, ...]:
        return _arrive, (type(self), self.key, self.made_of(), {name: getattr(self, name) for name in self.turned})


def forget(shared: Shared) -> None:
    """It is not needed here any more."""
    _VISITORS.pop(shared.key, None)


def _arrive(kind: type[Shared], key: str, made_of: tuple[Any, ...], turned: dict[str, Any]) -> Shared:
    here = _HERE.get(key)
    if here is None:
        here = kind(*made_of)
        del _HERE[here.key]
        here.key = key
        _HERE[key] = _VISITORS[key] = here
        for name, value in turned.items():
            setattr(here, name, value)
    return here


def _turn(key: str, name: str, value: Any) -> None:
    here = _HERE.get(key)
    if here is not None:
        setattr(here, name, value)


def _told(key: str, method: str, values: tuple[Any, ...]) -> None:
    here = _HERE.get(key)
    if here is not None:
        getattr(here, method)(*values)
