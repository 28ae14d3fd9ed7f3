"""Attention weighted by what it moves: || alpha_ij f(x_j) ||, f(x) = (x W^V + b^V) W^O (Kobayashi et al. 2020, arXiv
2004.10102). A head that looks at a token with a small value vector moves little, however hard it looks.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from studio.ml.attention.capture import Taken, Trace
from studio.ml.attention.errors import NotForThisModel
from studio.ml.attention.maps import BAND, shown
from studio.ml.attention.values import Map


def norm_weighted(trace: Trace, site: str, head: int, part: int = 0) -> Map:
    """[T_q, T_k] of one head: alpha_ij || v_j W^O_h ||; NaN where masked.

    Raises NotForThisModel where V or W^O were not kept (`capture(values=True)`) or cannot be known.
    """
    found, taken = trace.site(site), trace.taken[site]
    lengths = moved(taken, head, part).norm(dim=-1)
    step = max(1, BAND // found.keys)
    bands = [
        shown(trace, site, [head], range(i, min(i + step, found.queries)), part)[0] * lengths for i in range(
            0, found.queries, step
        )
    ]
    return np.asarray(torch.cat(bands).cpu().numpy(), np.float32)


def layer_norm_weighted(trace: Trace, site: str, part: int = 0) -> Map:
    """[T_q, T_k] of a layer: || sum_h alpha^h_ij f^h(x_j) ||, where heads may cancel; NaN where all are masked."""
    found, taken = trace.site(site), trace.taken[site]
    values = torch.stack([moved(taken, head, part) for head in range(found.heads)])
    # || sum_h a_h f_h ||^2 = sum_gh a_g a_h <f_g, f_h>: products of a key once, not D numbers for each pair of tokens.
    products = torch.einsum("gkd,hkd->kgh", values, values)
    step = max(1, BAND // (found.keys * found.heads))
    bands = []
    for i in range(0, found.queries, step):
        weights = shown(trace, site, range(found.heads), range(i, min(i + step, found.queries)), part)
        masked = weights.isnan().all(dim=0)
        filled = weights.nan_to_num()
        squares = torch.einsum("gqk,kgh,hqk->qk", filled, products, filled)
        bands.append(squares.clamp_min(0).sqrt().masked_fill(masked, torch.nan))
    return np.asarray(torch.cat(bands).cpu().numpy(), np.float32)


def moved(taken: Taken, head: int, part: int = 0) -> Tensor:
    """v_j W^O_h of every key, [T_k, D]."""
    if taken.value is None or taken.out_weight is None:
        if taken.weights is not None:
            raise NotForThisModel("This model hands over its attention weights, but not its value vectors.")
        raise NotForThisModel(
            "Value vectors were not kept with this trace, or their output matrix is not the next thing this model "
            "applies. Capture again with values."
        )
    shared = taken.query.shape[1] // taken.value.shape[1]
    value = taken.value[part, head // shared].float()
    return value @ taken.out_weight[head].float()
