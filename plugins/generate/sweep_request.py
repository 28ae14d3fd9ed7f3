"""A grid of runs: one run's settings with one or two of them varied."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, model_validator

from studio.host.request import Request, form_spec
from studio_plugins.generate.axes import AxisValue
from studio_plugins.generate.request import DIGEST_OF, GenerateRequest

MAX_CELLS = 256
_VARIED = frozenset(spec.name for spec in form_spec(GenerateRequest) if spec.sweepable)


class SweepAxis(BaseModel):
    """One field of the base request and the values it takes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    field: str
    values: tuple[AxisValue, ...]


class SweepRequest(Request):
    """The base request with one or two fields varied: rows × columns runs, same seed unless the seed is what varies."""

    kind: ClassVar[str] = "sweep"

    base: GenerateRequest = GenerateRequest()
    axes: tuple[SweepAxis, ...] = ()

    @model_validator(mode="after")
    def _valid(self) -> SweepRequest:
        if not 1 <= len(self.axes) <= 2:
            raise ValueError("a sweep varies one or two settings")
        names = [axis.field for axis in self.axes]
        if len(set(names)) < len(names):
            raise ValueError("choose two different settings to vary")
        cells = 1
        for axis in self.axes:
            if axis.field not in _VARIED:
                raise ValueError(f"“{axis.field}” is not a setting that can be varied")
            if not axis.values:
                raise ValueError(f"write at least one value for {axis.field}")
            cells *= len(axis.values)
        if cells > MAX_CELLS:
            raise ValueError(f"{cells} pictures are too many for one grid; {MAX_CELLS} is the most")
        for _ in self.cells():
            pass  # making a cell validates it: a bad value is refused here and not half-way through the run
        return self

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns): the first axis runs along the columns, the second along the rows."""
        return (len(self.axes[1].values) if len(self.axes) == 2 else 1, len(self.axes[0].values))

    def cells(self) -> Iterator[tuple[int, int, GenerateRequest]]:
        """(row, column, request) of every cell, row by row; one picture each."""
        base = self.base.model_dump()
        base["batch"] = 1
        first, second = self.axes[0], self.axes[1] if len(self.axes) == 2 else None
        for row in range(self.shape[0]):
            for column in range(self.shape[1]):
                changed: dict[str, AxisValue] = {first.field: first.values[column]}
                if second is not None:
                    changed[second.field] = second.values[row]
                for name, digest in DIGEST_OF.items():
                    if changed.get(name, base[name]) != base[name]:
                        changed[digest] = ""
                yield row, column, GenerateRequest.model_validate({**base, **changed})
