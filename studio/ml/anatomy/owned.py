"""Models of the studio's own kinds: counted in the tensors of their weight files, by name, without building them.

The transformers among them keep their layers as `….layers.0.attention.w_q.weight`, and their sizes in config.json as
`{"width", "heads", "hidden", "layers"}`. All others have a tree, and no formula.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from studio.ml.anatomy.blueprint import Blueprint
from studio.ml.anatomy.counting import Count, Line
from studio.ml.anatomy.errors import NotAModel
from studio.ml.anatomy.shape import BlockShape, Kind, StackShape
from studio.ml.anatomy.tree import Node, tree_of_tensors

Shapes = Mapping[str, tuple[str, tuple[int, ...]]]
"""Name of a tensor -> number format and shape."""
_LAYER = re.compile(r"^(.*\blayers)\.(\d+)\.(.+)$")
_SIZES = ("width", "heads", "hidden", "layers")


def read_shapes(blueprint: Blueprint) -> Shapes:
    """The tensors of a model's weight files. Raises NotAModel."""
    from studio.ml.diffusion.safetensors_header import HeaderUnreadable, read_header

    shapes: dict[str, tuple[str, tuple[int, ...]]] = {}
    try:
        for file in sorted(Path(blueprint.place).glob("model*.safetensors")):
            shapes |= {name: (found.format, found.shape) for name, found in read_header(file).tensors.items()}
    except (HeaderUnreadable, OSError) as error:
        raise NotAModel(f"The weights of “{blueprint.title}” cannot be read: {error}") from error
    if not shapes:
        raise NotAModel(
            f"“{blueprint.title}” is of the studio's own kind “{blueprint.model_type}”, whose parameters are counted "
            "in its weights, and there are none (model.safetensors) beside its configuration."
        )
    return shapes


def examine(blueprint: Blueprint, shapes: Shapes) -> tuple[tuple[StackShape, ...], Count, Node]:
    """Stacks, counts and tree of a model's tensors."""
    tree = tree_of_tensors(shapes, blueprint.title)
    layers = _layers(shapes)
    found = (_stack(blueprint, path, layers[path]) for path in layers)
    stacks = tuple(sorted((stack for stack in found if stack is not None), key=lambda stack: stack.kind == "decoder"))
    lines = [line for stack in stacks for line in _lines(stack, layers[stack.path])]
    inside = tuple(f"{stack.path}." for stack in stacks)
    if stacks:
        for name, (_, shape) in shapes.items():
            if not name.startswith(inside):
                sides, size = "·".join(map(str, shape)) or "1", math.prod(shape)
                lines.append(Line("rest", name, "sides", sides, size, size))
    return stacks, Count(tuple(lines), tree.parameters), tree


def made_for(blueprint: Blueprint) -> int:
    """How many tokens a model was made for: its length, or its patches and a class token; 0 where it does not say."""
    network = blueprint.config.get("network")
    if not isinstance(network, dict):
        return 0
    length, size, patch = (network.get(name) for name in ("length", "image_size", "patch_size"))
    if isinstance(length, int):
        return max(0, length)
    if blueprint.model_type == "vision" and isinstance(size, int) and isinstance(patch, int) and patch > 0:
        return (size // patch) ** 2 + 1
    return 0


def _layers(shapes: Shapes) -> dict[str, dict[int, dict[str, tuple[int, ...]]]]:
    """Path of a list of layers -> number of a layer -> its tensors; of lists whose layers attend."""
    found: dict[str, dict[int, dict[str, tuple[int, ...]]]] = {}
    for name, (_, shape) in shapes.items():
        match = _LAYER.match(name)
        if match:
            found.setdefault(match[1], {}).setdefault(int(match[2]), {})[match[3]] = shape
    return {path: layers for path, layers in found.items() if "attention.w_q.weight" in layers[min(layers)]}


def _stack(blueprint: Blueprint, path: str, layers: Mapping[int, Mapping[str, tuple[int, ...]]]) -> StackShape | None:
    """The stack that the configuration says these layers are; None where it says no such thing."""
    tables = list(_tables(blueprint.config, ""))
    table = next((found for key, found in tables if key and key in path), tables[0][1] if len(tables) == 1 else None)
    if table is None:
        return None
    first = layers[min(layers)]
    width, heads = int(table["width"]), int(table["heads"])
    block = BlockShape(
        width=width,
        heads=heads,
        kv_heads=heads,
        head_dim=max(1, width // heads),
        inner=int(table["hidden"]),
        cross=any(name.startswith("cross_attention.") for name in first),
        qkv_bias="attention.w_q.bias" in first,
        key_bias="attention.w_k.bias" in first,
        out_bias="attention.w_o.bias" in first,
        ffn_bias="feed_forward.w_1.bias" in first,
        norms=sum(name.startswith("norm") and name.endswith(".weight") for name in first),
    )
    plain: dict[str, Kind] = {"vision": "vision", "causal": "text"}
    kind: Kind = "decoder" if "decoder" in path else plain.get(blueprint.model_type, "encoder")
    causal = kind == "decoder" or blueprint.model_type == "causal"
    name = kind if kind in ("encoder", "decoder") else "layers"
    return StackShape(name, path, kind, len(layers), block, f"the studio's own, {blueprint.model_type}", True, causal)


def _tables(config: Mapping[str, Any], key: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every part of a configuration that gives the sizes of a stack, with the name it is given under."""
    if all(isinstance(config.get(name), int) for name in _SIZES) and config["heads"] > 0:
        yield key, config
    for name, value in config.items():
        if isinstance(value, dict):
            yield from _tables(value, name)


def _lines(stack: StackShape, layers: Mapping[int, Mapping[str, tuple[int, ...]]]) -> list[Line]:
    counted: Counter[str] = Counter()
    for name, shape in layers[min(layers)].items():
        counted[_part(name)] += math.prod(shape)
    terms = {term.name: term for term in stack.block.terms()}
    lines = []
    for part in [*terms, *(part for part in counted if part not in terms)]:
        term = terms.get(part)
        symbols, numbers, expected = (term.symbols, term.numbers, term.value) if term else ("", "", None)
        lines.append(Line(stack.name, part, symbols, numbers, expected, counted[part], stack.layers))
    return lines


def _part(name: str) -> str:
    if name.startswith("norm"):
        return "norms"
    if name.endswith(".bias"):
        return "biases"
    heads = {"attention": "attention", "cross_attention": "cross-attention", "feed_forward": "feed-forward"}
    return heads.get(name.split(".")[0], "other")
