"""A model opened once, and looked at under one length, batch and size: what the rooms of this package say together."""

from __future__ import annotations

import copy
import json
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from studio.ml.anatomy import owned
from studio.ml.anatomy.blueprint import Blueprint
from studio.ml.anatomy.building import Change, build, changed, config_of
from studio.ml.anatomy.counting import Count, count
from studio.ml.anatomy.errors import Untraceable
from studio.ml.anatomy.feeding import inputs, natural_length, own_length, sized
from studio.ml.anatomy.keeping import kept_numbers
from studio.ml.anatomy.metering import Metered, meter
from studio.ml.anatomy.shape import StackShape
from studio.ml.anatomy.stacks import stacks_of
from studio.ml.anatomy.tracing import Diagram, trace
from studio.ml.anatomy.tree import Node, tree_of

if TYPE_CHECKING:
    from torch import nn

_OTHER_LENGTH = 128
"""Tokens of a stack whose length is open, while another one is looked at."""


@dataclass(frozen=True)
class Anatomy:
    """What is known of a model without running it. model_class: of transformers, or "". lengths: how many tokens each
    stack was made for (0: open), by its path.
    """

    blueprint: Blueprint
    model_class: str
    stacks: tuple[StackShape, ...]
    count: Count
    tree: Node
    lengths: Mapping[str, int]


@dataclass(frozen=True)
class Measured:
    """Counted by running it without numbers: lengths of all stacks (by path), operations, the layer's parts, and how
    many numbers it keeps for training. config, given: what was built, and what it was given (name, shape and number
    format, or the value of a switch), so that it can be done again elsewhere. Where something could not be measured,
    `problem` says why.
    """

    lengths: Mapping[str, int]
    metered: Metered | None
    diagram: Diagram | None
    kept: int | None
    problem: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    given: tuple[tuple[str, Any, str], ...] = ()


def open_anatomy(blueprint: Blueprint) -> Anatomy:
    """Build a model without memory and count it. Raises AnatomyError."""
    if blueprint.own:
        stacks, counted, tree = owned.examine(blueprint, owned.read_shapes(blueprint))
        lengths = {stack.path: owned.made_for(blueprint) for stack in stacks}
        return Anatomy(blueprint, "", stacks, counted, tree, lengths)
    return _anatomy(blueprint, config_of(blueprint))


def hypothetical(anatomy: Anatomy, change: Change) -> Anatomy:
    """The same kind of model with other sizes for one stack. Raises AnatomyError."""
    return _anatomy(anatomy.blueprint, changed(config_of(anatomy.blueprint), change))


def _anatomy(blueprint: Blueprint, config: Any) -> Anatomy:
    model = build(blueprint, config)
    stacks = stacks_of(model, config)
    lengths = {stack.path: natural_length(config, stack) for stack in stacks}
    tree = tree_of(model, dtype=_format(config))
    return Anatomy(blueprint, type(model).__name__, stacks, count(model, stacks), tree, lengths)


def model_for(
    blueprint: Blueprint, path: str, tokens: int, batch: int, change: Change | None = None
) -> tuple[nn.Module, tuple[StackShape, ...], dict[str, Any], dict[str, int]]:
    """A model on the meta device made for that many tokens in the stack at `path`; its stacks, what to give it, and the
    lengths of all of its stacks. Raises AnatomyError.
    """
    config = config_of(blueprint)
    if change is not None:
        config = changed(config, change)
    stacks = stacks_of(build(blueprint, config), config)
    lengths = {stack.path: _length(config, stacks, stack, path, tokens) for stack in stacks}
    config = copy.deepcopy(config)
    sized(config, stacks, lengths)
    model = build(blueprint, config)
    return model, stacks, inputs(model, config, stacks, lengths, batch), lengths


def measure(blueprint: Blueprint, path: str, tokens: int, batch: int, change: Change | None = None) -> Measured:
    """Run a model without numbers and count. Raises AnatomyError, but Untraceable only as `problem`."""
    steps = measuring(blueprint, path, tokens, batch, change)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: Measured = end.value
            return found


def measuring(
    blueprint: Blueprint, path: str, tokens: int, batch: int, change: Change | None = None
) -> Generator[str, None, Measured]:
    """The same a step at a time: yields what comes next, in words, and returns what was measured."""
    yield "building the model without memory"
    try:
        model, stacks, given, lengths = model_for(blueprint, path, tokens, batch, change)
    except Untraceable as error:
        return Measured({}, None, None, None, str(error))
    settings: Any = model.config
    config = json.loads(json.dumps(settings.to_diff_dict(), default=str))
    metered: Metered | None = None
    diagram: Diagram | None = None
    kept: int | None = None
    problem = ""
    try:
        yield "following one layer"
        diagram = trace(model, given, f"{path}.0")
        yield "counting operations"
        metered = meter(model, given, tuple(stack.path for stack in stacks))
        yield "counting what training keeps"
        kept = kept_numbers(model, given, f"{path}.0")
    except Untraceable as error:
        problem = str(error)
    return Measured(lengths, metered, diagram, kept, problem, config, _told(given))


def _told(given: Mapping[str, Any]) -> tuple[tuple[str, Any, str], ...]:
    """Arguments as plain data."""
    found: list[tuple[str, Any, str]] = []
    for name, value in given.items():
        switch = isinstance(value, bool)
        found.append((name, value, "") if switch else (name, tuple(value.shape), str(value.dtype).split(".")[-1]))
    return tuple(found)


def _format(config: Any) -> str:
    """The number format the configuration names for the weights; "" where it names none."""
    return str(getattr(config, "dtype", None) or "").removeprefix("torch.")


def source_tokens(stacks: tuple[StackShape, ...], lengths: Mapping[str, int]) -> int:
    """Tokens of the encoder of an encoder-decoder model; 0 where there is none."""
    return next((lengths.get(stack.path, 0) for stack in stacks if stack.kind == "encoder"), 0)


def _length(config: Any, stacks: tuple[StackShape, ...], stack: StackShape, path: str, tokens: int) -> int:
    if stack.path == path:
        return own_length(config, stack, tokens)
    if stack.kind in ("encoder", "decoder"):  # source and target alike, unless the source has a length of its own
        natural = natural_length(config, stack)
        fixed = stack.kind == "encoder" and hasattr(config, "max_source_positions")
        return natural if fixed else tokens
    return natural_length(config, stack) or _OTHER_LENGTH
