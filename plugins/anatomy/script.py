"""“Copy as Python”: the same counts with torch and transformers alone."""

from __future__ import annotations

import pprint
from typing import Any

from studio.ml.anatomy.flops import cost_terms
from studio_plugins.anatomy.results import Look

_HEAD = '''\
"""{title} taken apart with torch and transformers alone: no weights, no memory (the meta device)."""

import torch
from transformers import CONFIG_MAPPING, {model_class}

config = CONFIG_MAPPING[{model_type!r}].from_dict(
    {config}
)
with torch.device("meta"):
    model = {model_class}._from_config(config, attn_implementation="eager").eval()
print("parameters:", sum(parameter.numel() for parameter in model.parameters()))
'''
_LAYER = '''
layers = model.get_submodule({path!r})
print("of one layer:", sum(parameter.numel() for parameter in layers[-1].parameters()), "of", len(layers))
D, L, H, H_kv, d, F = {width}, {layers}, {heads}, {kv_heads}, {head_dim}, {inner}
T, B, S = {tokens}, {batch}, {source}
weights = {matrices} * D * F + {attentions} * (2 * D * H * d + 2 * D * H_kv * d)
print("weights of one layer by the formula:", weights)
'''
_RUN = '''
from torch.utils.flop_counter import FlopCounterMode

given = {{
{given}
}}
with torch.no_grad(), FlopCounterMode(display=False) as counter:
    model(**given)
counts = counter.get_flop_counts()
print("operations:", counter.get_total_flops())
root = type(model).__name__ + "." + {path!r} + "."
print("operations of the layers:", sum(sum(counts[root + str(i)].values()) for i in range(len(layers))))
print("by the formula:", {formula})  # {words}
'''


def script(look: Look) -> str:
    """Python source that counts what is shown."""
    anatomy, measured, stack = look.shown_anatomy, look.measured, look.stack
    blueprint = anatomy.blueprint
    built = measured.config if measured is not None else {}
    config: dict[str, Any] = dict(built or blueprint.config)
    for name in ("quantization_config", "transformers_version", "model_type"):
        config.pop(name, None)
    made = pprint.pformat(config, width=110, sort_dicts=False).replace("\n", "\n    ")
    title = blueprint.title.replace('"', "'").replace("\\", "/")
    text = _HEAD.format(
        title=title, model_class=anatomy.model_class, model_type=blueprint.model_type, config=made
    )
    if stack is None:
        return text
    block = stack.block
    text += _LAYER.format(
        path=stack.path, width=block.width, layers=stack.layers, heads=block.heads, kv_heads=block.kv_heads,
        head_dim=block.head_dim, inner=block.inner, tokens=look.tokens, batch=look.request.batch, source=look.source,
        matrices=block.matrices, attentions=block.attentions,
    )  # fmt: skip
    if measured is None or measured.metered is None:
        return text
    formula = "B * L * (2 * T * weights + 4 * T**2 * H * d)"
    if block.cross:
        formula = "B * L * (2 * T * (weights - 2 * D * H_kv * d) + 4 * S * D * H_kv * d + 4 * (T**2 + T * S) * H * d)"
    words = " + ".join(term.symbols for term in cost_terms(stack, look.tokens, look.request.batch, look.source))
    given = "\n".join(map(_argument, measured.given))
    return text + _RUN.format(path=stack.path, formula=formula, words=words, given=given)


def _argument(entry: tuple[str, Any, str]) -> str:
    name, value, dtype = entry
    if not dtype:
        return f'    "{name}": {value!r},'
    return f'    "{name}": torch.empty({value!r}, dtype=torch.{dtype}, device="meta"),'
