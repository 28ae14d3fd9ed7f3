"""What the jobs give back, and what is on show: an anatomy under a request."""

from __future__ import annotations

from dataclasses import dataclass, replace

from studio.ml.anatomy.building import Change
from studio.ml.anatomy.errors import AnatomyError
from studio.ml.anatomy.examining import Anatomy, Measured, source_tokens
from studio.ml.anatomy.flops import Cost, stack_cost
from studio.ml.anatomy.shape import StackShape
from studio.ml.anatomy.timing import Timing
from studio_plugins.anatomy.request import AnatomyRequest


@dataclass(frozen=True)
class Opened:
    """A model that was opened, by its name in a request."""

    model: str
    anatomy: Anatomy


@dataclass(frozen=True)
class Counted:
    """What was measured, and for which settings (`key_of`)."""

    key: tuple[object, ...]
    measured: Measured
    anatomy: Anatomy | None = None


@dataclass(frozen=True)
class Timed:
    """A measured time, and for which settings (`key_of` and how attention was computed)."""

    key: tuple[object, ...]
    attention: str
    timing: Timing


@dataclass(frozen=True)
class Kept:
    """Where something was kept."""

    record_id: str


@dataclass(frozen=True)
class Look:
    """Everything on show. anatomy: of the model as it is; stack: the one looked at, in the sizes asked for; change:
    None for the model's own sizes. counted, timed: only where they belong to these settings.
    """

    request: AnatomyRequest
    anatomy: Anatomy
    stack: StackShape | None
    change: Change | None
    problem: str = ""
    counted: Counted | None = None
    timed: Timed | None = None

    @property
    def key(self) -> tuple[object, ...]:
        return key_of(self.request, self.change)

    @property
    def tokens(self) -> int:
        """T of the stack: as measured where it is (pictures have a square number of patches), else as asked for."""
        measured = self.measured
        if measured is not None and self.stack is not None and self.stack.path in measured.lengths:
            return measured.lengths[self.stack.path]
        return self.request.tokens

    @property
    def measured(self) -> Measured | None:
        return self.counted.measured if self.counted is not None else None

    @property
    def shown_anatomy(self) -> Anatomy:
        """Of the hypothetical model, once it was counted."""
        found = self.counted.anatomy if self.counted is not None else None
        return found or self.anatomy

    @property
    def source(self) -> int:
        """S: tokens of the encoder for a layer with cross-attention."""
        return self.source_for(self.tokens)

    def source_for(self, tokens: int) -> int:
        """S, were the sequence `tokens` long: as long, unless the encoder has a length of its own."""
        if self.stack is None or not self.stack.block.cross:
            return 0
        if self.measured is not None:
            found = source_tokens(self.anatomy.stacks, self.measured.lengths)
            return found if found != self.tokens else tokens
        return tokens

    @property
    def parameters(self) -> int:
        """Of the whole model, in the sizes on show; by the formula until a hypothetical model was counted."""
        if self.change is None or self.stack is None or self.shown_anatomy is not self.anatomy:
            return self.shown_anatomy.count.total
        was = next(stack for stack in self.anatomy.stacks if stack.path == self.stack.path)
        return self.anatomy.count.total - was.parameters + self.stack.parameters

    def cost(self, tokens: int | None = None) -> Cost:
        """Operations of all layers of the stack by the formula. Raises ValueError where there is no stack."""
        if self.stack is None:
            raise ValueError("a model without layers that attend has no such formula")
        length = self.tokens if tokens is None else tokens
        return stack_cost(self.stack, length, self.request.batch, self.source_for(length))


def key_of(request: AnatomyRequest, change: Change | None) -> tuple[object, ...]:
    """What determines a measurement."""
    return request.model, request.stack, request.tokens, request.batch, change


def look_at(request: AnatomyRequest, anatomy: Anatomy) -> Look:
    """A request laid over an anatomy; sizes that cannot be are `problem`, and the model's own are shown."""
    stack = next((found for found in anatomy.stacks if found.path == request.stack), None)
    stack = stack or (anatomy.stacks[0] if anatomy.stacks else None)
    if stack is None:
        return Look(request, anatomy, None, None)
    request = request.replace(stack=stack.path)
    own = (stack.block.width, stack.layers, stack.block.heads)
    asked = (request.width, request.layers, request.heads)
    wanted = tuple(other or mine for other, mine in zip(asked, own, strict=True))
    if wanted == own:
        return Look(request, anatomy, stack, None)
    try:
        scaled = stack.scaled(*wanted)
    except AnatomyError as error:
        return Look(request, anatomy, stack, None, str(error))
    return Look(request, anatomy, scaled, Change(stack.path, stack.kind, scaled.layers, scaled.block))


def with_known(look: Look, counted: Counted | None, timed: Timed | None) -> Look:
    """With what was measured, as far as it belongs to these settings."""
    fits = counted is not None and counted.key == look.key
    same = timed is not None and timed.key == (*look.key, look.request.precision, look.request.attention)
    return replace(look, counted=counted if fits else None, timed=timed if same else None)
