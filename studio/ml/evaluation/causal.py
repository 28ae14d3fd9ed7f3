"""How near a causal model of stories comes to the rules that make them, and what its heads look at."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from studio.ml.data.scenes import Kind, Vocabulary
from studio.ml.diffusion.model_folder import parse_config
from studio.ml.evaluation.attending import induction_score, previous_token_score, strongest, watched
from studio.ml.evaluation.classifier import SceneVocabulary
from studio.ml.evaluation.metrics import wilson_interval
from studio.ml.language import stories
from studio.ml.language.causal import CausalModel, CausalModelConfig, load_causal
from studio.ml.language.tokenizer import PADDING

SEED = 95
BATCH = 64
REPEATED = 12
"""Random words that are said twice to find induction heads."""

Floats = NDArray[np.float64]


class StoryModelConfig(CausalModelConfig):
    """config.json of a causal model of stories."""

    vocabulary: SceneVocabulary
    mix: dict[Kind, float]


@dataclass(frozen=True)
class Losses:
    """-ln p of each story [N]: by the model, and by the rules that made it; tokens [N] counts words, marks and the end."""

    model: Floats
    rules: Floats
    tokens: NDArray[np.int64]

    @property
    def perplexities(self) -> tuple[float, float]:
        """exp of the mean loss of a token: the model's, and the least possible on average."""
        total = self.tokens.sum()
        return math.exp(self.model.sum() / total), math.exp(self.rules.sum() / total)

    @property
    def divergence(self) -> tuple[float, float]:
        """KL(rules || model) in nats a story, estimated on the same stories, and the half width of its 95 % interval."""
        gap = self.model - self.rules
        return float(gap.mean()), 1.96 * float(gap.std(ddof=1)) / math.sqrt(len(gap))


def told(vocabulary: Vocabulary, count: int, *, held: bool = False) -> list[stories.Story]:
    """Fresh stories; with `held`, every scene in them is of a combination held out from training."""
    return [stories.story(np.random.default_rng((SEED, held, i)), vocabulary, held=held) for i in range(count)]


def losses(model: CausalModel, asked: Sequence[stories.Story]) -> Losses:
    """The model's loss of each story beside that of the rules."""
    encoded = [model.tokenizer.encode(story.text, end=True).ids for story in asked]
    found: list[float] = []
    for start in range(0, len(encoded), BATCH):
        ids = batched(encoded[start : start + BATCH]).to(model.device)
        with torch.no_grad():
            logits = model.net(ids[:, :-1]).double()
        every = F.cross_entropy(logits.transpose(1, 2), ids[:, 1:], ignore_index=PADDING, reduction="none")
        found += every.sum(dim=1).tolist()
    rules = np.array([-story.log_probability for story in asked])
    return Losses(np.array(found), rules, np.array([len(ids) - 1 for ids in encoded]))


def told_again(model: CausalModel, asked: Sequence[stories.Story]) -> NDArray[np.bool_]:
    """For each story that is told again: whether the model, given it up to "again:", tells the rest word for word."""
    hits = []
    for story in asked:
        before, again, rest = story.text.partition("again:")
        if again:
            hits.append(model.written(before + again) == before + again + rest)
    return np.array(hits, dtype=np.bool_)


def head_scores(
    model: CausalModel, vocabulary: Vocabulary, count: int = 64
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Previous-token and induction scores [H] of each attention, on random words that are said twice."""
    rng = np.random.default_rng(SEED)
    known = stories.plain_words(vocabulary)
    said = [" ".join(known[i] for i in rng.integers(len(known), size=REPEATED)) for _ in range(count)]
    texts = [model.tokenizer.encode(f"say {words}. again: {words}").ids for words in said]
    with torch.no_grad(), watched(model.net) as maps:
        model.net(torch.tensor(texts, device=model.device))
    # without the start token and "say", which come once, the text has a period: the words and ". again :"
    repeated = {name: weights[:, :, 2:, 2:] for name, weights in maps.items()}
    previous = {name: previous_token_score(weights) for name, weights in repeated.items()}
    return previous, {name: induction_score(weights, REPEATED + 3) for name, weights in repeated.items()}


def report(folder: Path, options: argparse.Namespace) -> Iterator[str]:
    """Tables in Markdown: perplexity beside the least possible, retelling, heads. `options.count` stories a figure.

    Raises WeightsError.
    """
    config = parse_config(folder, StoryModelConfig)
    model = load_causal(folder)
    vocabulary = Vocabulary(config.vocabulary.nouns, config.vocabulary.backgrounds, config.mix)
    yield f"{options.count:,} fresh stories a figure, fixed seeds. The rules that make the stories give each its probability, so"
    yield "the least possible perplexity on the same stories is known; what the model is above it is KL(rules || model),"
    yield "with its 95 % interval."
    yield ""
    yield "| stories | perplexity a token | least possible | nats a story above it |"
    yield "|---|---|---|---|"
    for held, name in ((False, "as in training"), (True, "of held-out combinations only, which training never tells")):
        found = losses(model, told(vocabulary, options.count, held=held))
        mine, least = found.perplexities
        gap, width = found.divergence
        yield f"| {name} | **{mine:.4f}** | {least:.4f} | {gap:.3f} ± {width:.3f} |"
    yield ""
    again = told_again(model, told(vocabulary, options.count))
    yield f"Of {len(again):,} stories that are told again it tells {again.mean():.1%} word for word, the likeliest word each time,"
    yield f"given what comes before (95 % interval {_interval(again)})."
    yield ""
    yield f"Heads, on {REPEATED} random words said twice (mean weight; an even look at all tokens so far would be about"
    yield f"{1 / (1.5 * REPEATED):.2f}):"
    yield ""
    previous, induction = head_scores(model, vocabulary)
    for what, scores in (("the token before", previous), ("what followed the last time (induction)", induction)):
        name, head, score = strongest(scores)
        yield f"- looks most at {what}: `{name}` head {head}, {score:.2f}"


def _interval(hits: NDArray[np.bool_]) -> str:
    low, high = wilson_interval(int(hits.sum()), hits.size)
    return f"{low:.1%} to {high:.1%}"


def batched(texts: Sequence[Sequence[int]]) -> Tensor:
    """Ids of several texts, filled up to the longest, [B, L]."""
    longest = max(map(len, texts))
    return torch.tensor([[*ids, *[PADDING] * (longest - len(ids))] for ids in texts])
