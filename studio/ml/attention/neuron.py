"""Why one token looks at another: q * k, dimension by dimension. Q and K are those that were multiplied, rotary
positions included, so the products add up to the score.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from studio.ml.attention.capture import Trace
from studio.ml.attention.errors import NotForThisModel
from studio.ml.attention.maps import forbidden_cells, weights_of


@dataclass(frozen=True, eq=False)
class Pair:
    """One query and one key of a head.

    query, key: [d]. products = query * key * scale [d], whose sum is `dot`. score: what goes into the softmax, after
    the cap, with bias; weight: what comes out, NaN where the mask forbids to look. bias: 0 where there is none.
    """

    query: NDArray[np.float32]
    key: NDArray[np.float32]
    products: NDArray[np.float32]
    scale: float
    dot: float
    bias: float
    score: float
    weight: float


def pair(trace: Trace, site: str, head: int, query: int, key: int, part: int = 0) -> Pair:
    """Raises NotForThisModel where there are weights without Q and K, IndexError for tokens that are none."""
    found, taken = trace.site(site), trace.taken[site]
    if taken.weights is not None:
        raise NotForThisModel(
            "This model hands over its attention weights, but not the queries and keys they come from."
        )
    if not (0 <= query < found.queries and 0 <= key < found.keys):
        raise IndexError(f"token {query}, {key} of a map of {found.queries} x {found.keys}")
    shared = found.heads // found.kv_heads
    q, k = taken.query[part, head, query].float(), taken.key[part, head // shared, key].float()
    products = q * k * taken.scale
    dot = float(products.double().sum())
    capped = dot if taken.softcap is None else float(taken.softcap * np.tanh(dot / taken.softcap))
    bias = _at(taken.bias, part, head, query, key) + _at(taken.mask, part, head, query, key)
    weight = float(weights_of(taken, [head], range(query, query + 1), part)[0, 0, key])
    forbidden = forbidden_cells(found, taken, [head], range(query, query + 1), part)
    if forbidden is not None and bool(forbidden.expand(1, 1, found.keys)[0, 0, key]):
        weight = float("nan")
    return Pair(_numpy(q), _numpy(k), _numpy(products), taken.scale, dot, bias, capped + bias, weight)


def dimensions(trace: Trace, site: str, head: int, query: int, part: int = 0) -> NDArray[np.float32]:
    """[T_k, d]: the products of one query with every key, for a picture of all of them at once."""
    found, taken = trace.site(site), trace.taken[site]
    if taken.weights is not None:
        raise NotForThisModel(
            "This model hands over its attention weights, but not the queries and keys they come from."
        )
    shared = found.heads // found.kv_heads
    return _numpy(taken.query[part, head, query].float() * taken.key[part, head // shared].float() * taken.scale)


def _at(mask: torch.Tensor | None, part: int, head: int, query: int, key: int) -> float:
    """One number of what is added to scores; 0 for masks of bool."""
    if mask is None or mask.dtype == torch.bool:
        return 0.0
    b, h, q, _ = mask.shape
    return float(mask[part if b > 1 else 0, head if h > 1 else 0, query if q > 1 else 0, key])


def _numpy(tensor: torch.Tensor) -> NDArray[np.float32]:
    return np.asarray(tensor.cpu().numpy(), np.float32)
