"""Read a ComfyUI API graph (`prompt` chunk): find the sampler node and follow its inputs back.

A graph is a program, so only the ordinary parts can be understood; every other node is named as not mapped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from studio.host.imagemeta.foreign import Mapped, _names, loads, put

_MAX_NODES = 5000
_SAMPLER_FIELDS = {
    "seed": "seed", "noise_seed": "seed", "steps": "steps", "cfg": "guidance_scale", "sampler_name": "sampler",
}  # fmt: skip
_MODEL_FIELDS = ("ckpt_name", "unet_name", "model_name")
_TEXT_FIELDS = ("text", "string", "value", "text_g", "t5xxl", "clip_l", "prompt")
_SILENT = {"VAEDecode", "VAELoader", "SaveImage", "PreviewImage", "CLIPLoader", "DualCLIPLoader", "VAEDecodeTiled"}
Node = Mapping[str, Any]


def from_comfyui(text: str) -> Mapped:
    """Settings of an executed graph `{id: {class_type, inputs}}`. Raises ValueError when the JSON is no such graph."""
    data = loads(text)
    if not isinstance(data, dict) or len(data) > _MAX_NODES:
        raise ValueError("not a ComfyUI graph")
    nodes: dict[str, Node] = {
        key: node for key, node in data.items()
        if isinstance(node, dict) and isinstance(node.get("class_type"), str) and isinstance(node.get("inputs"), dict)
    }  # fmt: skip
    if not nodes:
        raise ValueError("not a ComfyUI graph")
    return _Reader(nodes).read()


class _Reader:
    """One pass over one graph."""

    def __init__(self, nodes: Mapping[str, Node]) -> None:
        self.nodes = nodes
        self.used: set[str] = set()
        self.mapped: dict[str, Any] = {}
        self.unmapped: list[str] = []

    def read(self) -> Mapped:
        sampler = next((key for key, node in self.nodes.items() if _is_sampler(node)), None)
        if sampler is not None:
            self.used.add(sampler)
            inputs = self.nodes[sampler]["inputs"]
            for key, name in _SAMPLER_FIELDS.items():
                if key in inputs:
                    put(self.mapped, self.unmapped, name, self._value(inputs[key]), f"{key} of the sampler")
            self._prompt(inputs.get("positive"), "prompt")
            self._prompt(inputs.get("negative"), "negative_prompt")
            self._size(inputs.get("latent_image"))
            self._model(inputs.get("model"))
        else:
            self._first_text()
        for key, node in self.nodes.items():
            if key not in self.used and node["class_type"] not in _SILENT:
                self.unmapped.append(f"node {node['class_type'][:60]}")
        return self.mapped, _names(self.unmapped)

    def _linked(self, link: Any) -> str | None:
        """The node a link `[id, output]` points to."""
        if isinstance(link, list) and len(link) == 2 and isinstance(link[0], (str, int)):
            key = str(link[0])
            return key if key in self.nodes else None
        return None

    def _upstream(self, link: Any) -> Iterator[tuple[str, Node]]:
        """Nodes behind a link, nearest first, each once (a hostile graph may be a loop)."""
        seen: set[str] = set()
        waiting = [self._linked(link)]
        while waiting:
            key = waiting.pop(0)
            if key is None or key in seen:
                continue
            seen.add(key)
            yield key, self.nodes[key]
            waiting.extend(self._linked(value) for value in self.nodes[key]["inputs"].values())

    def _value(self, value: Any) -> Any:
        """A literal, or the literal of the primitive node it is linked to."""
        key = self._linked(value)
        if key is None:
            return value
        inputs = self.nodes[key]["inputs"]
        for name in ("value", "seed", "noise_seed", "int", "float", "number"):
            if isinstance(inputs.get(name), (int, float)):
                self.used.add(key)
                return inputs[name]
        return value

    def _prompt(self, link: Any, name: str) -> None:
        texts = []
        for key, node in self._upstream(link):
            if "CLIPTextEncode" in node["class_type"]:
                text = self._text(node)
                if text is not None:
                    self.used.add(key)
                    texts.append(text)
        if texts:
            self.mapped[name] = texts[0]
            if len(texts) > 1:
                self.unmapped.append(f"{len(texts) - 1} more text(s) combined into the {name.replace('_', ' ')}")

    def _text(self, node: Node) -> str | None:
        """The text of an encode node, written there or in a string node it is linked to."""
        for field in _TEXT_FIELDS:
            value = node["inputs"].get(field)
            if isinstance(value, str):
                return value
            for key, behind in self._upstream(value):
                found = next((t for f in _TEXT_FIELDS if isinstance(t := behind["inputs"].get(f), str)), None)
                if found is not None:
                    self.used.add(key)
                    return found
        return None

    def _size(self, link: Any) -> None:
        for key, node in self._upstream(link):
            if "width" in node["inputs"] and "height" in node["inputs"]:
                self.used.add(key)
                for side in ("width", "height"):
                    put(self.mapped, self.unmapped, side, self._value(node["inputs"][side]), side)
                batch = node["inputs"].get("batch_size")
                if isinstance(batch, int) and batch > 1:
                    self.unmapped.append(f"batch of {batch}")
                return

    def _model(self, link: Any) -> None:
        for key, node in self._upstream(link):
            name = next((n for f in _MODEL_FIELDS if isinstance(n := node["inputs"].get(f), str)), None)
            if name is not None and "lora" not in node["class_type"].lower():
                self.used.add(key)
                self.mapped["model"] = name
                return

    def _first_text(self) -> None:
        for key, node in self.nodes.items():
            text = self._text(node) if "CLIPTextEncode" in node["class_type"] else None
            if text is not None:
                self.used.add(key)
                self.mapped["prompt"] = text
                return


def _is_sampler(node: Node) -> bool:
    inputs = node["inputs"]
    return "positive" in inputs and ("latent_image" in inputs or "sampler" in node["class_type"].lower())
