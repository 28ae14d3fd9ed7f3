"""Retrieval of captions: fair trials, an honest count, and the table."""

from __future__ import annotations

import argparse
from dataclasses import replace

import torch

from studio.ml.clip.model import NoisedClip
from studio.ml.data import captions, scenes
from studio.ml.data.nouns import BACKGROUNDS
from studio.ml.diffusion.schedule import Schedule
from studio.ml.evaluation.clip import CANDIDATES, STEPS, Retrieval, among_relations, among_scenes, report
from tests.ml.clip.tiny_clip import network, tokenizer, write_tiny

VOCABULARY = scenes.Vocabulary.of_size(32, 8)


class Backgrounds(NoisedClip):
    """A CLIP that sees the colour of the corner and nothing else, and reads the last colour named."""

    def __init__(self) -> None:
        super().__init__("backgrounds", network(), tokenizer(), Schedule.named("squaredcos_cap_v2"))
        self.colours = {name: torch.tensor(rgb) / 127.5 - 1 for name, rgb in BACKGROUNDS.items()}

    @property
    def image_size(self) -> int:
        return 32

    def encode_text(self, prompts):
        return torch.stack([self._one_hot(prompt.split()[-2]) for prompt in prompts])

    def encode_image(self, x, t):
        corners = x[:, :, 0, 0]
        nearest = [min(self.colours, key=lambda name: float((self.colours[name] - c).norm())) for c in corners]
        return torch.stack([self._one_hot(name) for name in nearest])

    def _one_hot(self, colour):
        return torch.tensor([float(name == colour) for name in self.colours])


def test_the_candidates_of_a_trial_are_distinct_and_the_first_is_true() -> None:
    trials = among_scenes(VOCABULARY, 20)
    for trial in trials:
        assert len(set(trial.captions)) == len(trial.captions) == CANDIDATES
        assert trial.captions[0] == captions.plain_caption(trial.scene)
    assert among_scenes(VOCABULARY, 20) == trials


def test_relations_differ_in_nothing_else() -> None:
    for trial in among_relations(VOCABULARY, 20):
        assert len(set(trial.captions)) == 4
        assert trial.captions[0] == captions.plain_caption(trial.scene)
        without = {caption.replace(relation, "?") for caption in trial.captions for relation in scenes.RELATIONS}
        assert len({caption for caption in without if "?" in caption}) == 1


def test_hits_are_counted_as_they_are() -> None:
    """Who sees backgrounds alone is right where no other caption names the same one; a tie is no hit."""
    trials = [replace(trial, captions=trial.captions[:4]) for trial in among_scenes(VOCABULARY, 40)]
    named = [[caption.split()[-2] for caption in trial.captions] for trial in trials]
    expected = [own not in others for own, *others in named]
    assert Retrieval(Backgrounds(), trials).hits(0).tolist() == expected
    assert 10 < sum(expected) < 35


def test_the_table_has_a_row_for_each_step(tmp_path) -> None:
    vocabulary = {"nouns": VOCABULARY.nouns, "backgrounds": VOCABULARY.backgrounds}
    folder = write_tiny(tmp_path, vocabulary=vocabulary)
    table = [line for line in report(folder, argparse.Namespace(count=2)) if line.startswith("|")]
    assert len(table) == 2 + len(STEPS)
