"""Votes on disk, who meets whom, and the standing: without a window."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.engine import JobContext, run_inline
from studio.host.atomic import FileUnwritable
from studio.host.imagemeta import encode_png, envelope, format_parameters, read_metadata
from studio.host.results import ResultsStore
from studio_plugins.vote import jobs
from studio_plugins.vote.contest import Contest
from studio_plugins.vote.entries import Entry, entry_of, field_title, fields, flat, values
from studio_plugins.vote.request import VoteRequest
from studio_plugins.vote.standing import standing, standing_table, votes_table
from studio_plugins.vote.votes import Side, Vote, append_undo, append_vote, read_votes
from tests.plugins.vote.conftest import keep


def entry(name: str, scale: str, prompt: str = "a cat", seed: int = 0, **more: str) -> Entry:
    return Entry(name, "picture.png", Path(name), prompt, seed, {"scale": scale, **more})


def vote_on(pair, choice="left", question="better") -> Vote:
    return Vote.now(question, pair.field, pair.side(pair.left), pair.side(pair.right), choice)


def between(a: str, b: str, choice: str = "left") -> Vote:
    left, right = (Side(contestant=name, record=name, file="p.png") for name in (a, b))
    return Vote.now("better", "scale", left, right, choice)


# --- votes on disk ---


def test_votes_and_undos_read_back_in_order(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "votes.jsonl"
    made = [between("1", "3"), between("3", "5", "tie"), between("1", "5", "right")]
    for vote in made:
        append_vote(path, vote)
    append_undo(path, made[1])
    found = read_votes(path)
    assert found.votes == (made[0], made[2]) and found.lines == 4 and found.damaged == 0
    assert len(path.read_bytes().splitlines()) == 4  # nothing is rewritten


@settings(max_examples=40)
@given(st.integers(0, 400))
def test_a_line_cut_off_anywhere_loses_no_other(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    path = tmp_path_factory.mktemp("votes") / "votes.jsonl"
    first, second = between("1", "3"), between("3", "1")
    append_vote(path, first)
    whole = path.stat().st_size
    append_vote(path, second)
    os.truncate(path, min(whole + cut, path.stat().st_size - 1))
    last = between("1", "3", "tie")
    append_vote(path, last)
    found = read_votes(path)
    assert found.votes[0] == first and found.votes[-1] == last
    assert len(found.votes) + found.damaged == len(path.read_bytes().split(b"\n")) - 1


@pytest.mark.parametrize("line", [b"{", b"[]", b"null", b'{"undo": 1}', b'{"id": "x"}', b"\xff\xfe", b"[" * 100_000])
def test_foreign_lines_are_counted_and_left(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "votes.jsonl"
    path.write_bytes(line + b"\n")
    append_vote(path, between("1", "3"))
    found = read_votes(path)
    assert len(found.votes) == 1 and found.damaged == 1 and path.read_bytes().startswith(line)


def test_a_vote_survives_the_process_that_cast_it(tmp_path: Path) -> None:
    """Killed the moment `append_vote` returned."""
    script = (
        "import os, signal, sys; from pathlib import Path\n"
        "from tests.plugins.vote.test_vote_contest import between\n"
        "from studio_plugins.vote.votes import append_vote\n"
        "append_vote(Path(sys.argv[1]), between('1', '3')); os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path / "votes.jsonl")], cwd=Path(__file__).parents[3], timeout=60)
    assert done.returncode < 0
    assert len(read_votes(tmp_path / "votes.jsonl").votes) == 1


def test_a_disk_that_takes_only_half_keeps_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "votes.jsonl"
    append_vote(path, between("1", "3"))
    before, write = path.read_bytes(), os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[: len(data) // 2]))
    with pytest.raises(FileUnwritable, match="full"):
        append_vote(path, between("3", "1"))
    assert path.read_bytes() == before


def test_a_file_that_cannot_be_opened_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object) -> int:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(FileUnwritable, match="read-only"):
        append_vote(tmp_path / "votes.jsonl", between("1", "3"))
    assert read_votes(tmp_path / "votes.jsonl").votes == ()


# --- who meets whom ---

POOL = [entry(f"{scale}-{seed}", scale, seed=seed) for scale in ("1", "3", "10") for seed in range(3)]


@pytest.mark.parametrize(("match", "pairs"), [("seed", 9), ("prompt", 27), ("any", 27)])
def test_only_comparable_pictures_meet(match: str, pairs: int) -> None:
    others = [entry("x", "1", "a dog", 0), entry("y", "1", "a dog", 1)]  # a prompt of one contestant alone
    contest = Contest(VoteRequest(field="scale", match=match), [*POOL, *others])
    assert contest.pairs == pairs + (2 * 6 if match == "any" else 0)
    votes: list[Vote] = []
    while (pair := contest.next(votes, len(votes))) is not None:
        assert pair.left.settings["scale"] != pair.right.settings["scale"]
        assert match != "seed" or (pair.left.seed, pair.left.prompt) == (pair.right.seed, pair.right.prompt)
        assert match == "any" or pair.left.prompt == pair.right.prompt
        votes.append(vote_on(pair))
    assert len(votes) == contest.pairs == len(contest.judged(votes)) and contest.left_over(votes) == 0


def test_contestants_meet_equally_often_on_random_sides() -> None:
    pool = [entry(f"{scale}-{seed}", scale, seed=seed) for scale in ("1", "3", "10") for seed in range(20)]
    contest = Contest(VoteRequest(field="scale"), pool)
    votes: list[Vote] = []
    for turn in range(300):
        pair = contest.next(votes, turn)
        assert pair is not None
        votes.append(vote_on(pair))
    met = Counter(frozenset((v.left.contestant, v.right.contestant)) for v in votes)
    assert set(met.values()) == {100}
    first = sum(v.left.contestant < v.right.contestant for v in votes)
    assert abs(first - 150) < 4 * np.sqrt(300) / 2  # four standard deviations of a fair coin


def test_the_same_turn_deals_the_same_pair() -> None:
    contest = Contest(VoteRequest(field="scale"), POOL)
    assert contest.next([], 5) == contest.next([], 5)
    assert len({contest.next([], turn).left.key for turn in range(30)}) > 3  # type: ignore[union-attr]


def test_only_votes_of_this_contest_count() -> None:
    contest = Contest(VoteRequest(field="scale", contestants=("1", "3"), question="prompt"), POOL)
    assert contest.contestants == ("1", "3") and contest.pictures == {"1": 3, "3": 3, "10": 3}
    ours = Vote.now("prompt", "scale", *(Side(contestant=c, record="r", file="f") for c in ("1", "3")), "left")
    assert contest.counts(ours)
    for change in ({"question": "better"}, {"field": "sampler"}, {"left": Side(contestant="10", record="r", file="f")}):
        assert not contest.counts(ours.model_copy(update=change))


def test_words_narrow_the_prompts() -> None:
    pool = [*POOL, entry("d1", "1", "a Red dog"), entry("d3", "3", "a Red dog")]
    assert Contest(VoteRequest(field="scale", query="RED dog"), pool).pairs == 1
    assert Contest(VoteRequest(field="scale", query="nothing"), pool).next([], 0) is None


# --- what pictures say of themselves ---


def test_settings_are_told_in_words() -> None:
    told = dict(flat({"on": True, "s": 3.0, "n": None, "list": [1, {"a": 2}], "in": {"side": "x", "long": "y" * 500}}))
    assert told == {"on": "on", "s": "3", "n": "none", "list": '[1, {"a": 2}]', "in.side": "x", "in.long": "y" * 159 + "…"}
    assert field_title("guidance_scale") == "Guidance scale" and field_title("in.side") == "In: side"


def test_contestants_differ_in_settings_that_differ_the_telling_ones_first() -> None:
    pool = [entry("a", "1", model="m", guidance_scale="3", batch="1"), entry("b", "10", model="n", guidance_scale="3", batch="2")]
    assert fields(pool) == ["model", "scale"]
    assert list(values([*pool, entry("c", "2")], "scale")) == ["1", "2", "10"]


def test_the_store_is_looked_through(store: ResultsStore) -> None:
    first = keep(store, "a cat", 5, batch=2, guidance_scale=1.0, model="m")
    second = keep(store, "a cat", 5, guidance_scale=3.0, model="m")
    store.add("generate", {"prompt": "a cat"}, {"picture.png": b"no picture", "steps.npz": b""})
    store.add("inspect", {"path": "x"}, {"tensors.csv": b""})
    found: jobs.Survey = run_inline(jobs.survey, context=JobContext(services={"results": store}))
    assert [(e.record, e.file, e.seed) for e in found.entries] == [
        (second, "picture-01.png", 5), (first, "picture-01.png", 5), (first, "picture-02.png", 6),
    ]  # fmt: skip
    assert found.fields == ("guidance_scale",) and not found.more


def test_columns_of_one_comparison_are_told_apart_and_first_stages_left_out(tmp_path: Path) -> None:
    request = {"prompt": "a cat", "seed": 4, "columns": [{"a": 1}, {"a": 2}], "model_sha256": "0" * 64}
    pixels = np.zeros((8, 8, 3), np.uint8)
    found = []
    for column, title in enumerate(("No guidance", "CFG 3, CLIP 1")):
        text = format_parameters("a cat", steps=5, sampler="DDIM", seed=4, size=(8, 8), extra={"Guidance": title})
        path = tmp_path / f"{column}.png"
        path.write_bytes(encode_png(pixels, envelope("guidance", request, {"column": column, "seed": 4}), text))
        found.append(entry_of("r", path, read_metadata(path)))
    assert fields(found) == ["guidance"] and list(values(found, "guidance")) == ["CFG 3, CLIP 1", "No guidance"]  # type: ignore[arg-type]
    small = tmp_path / "small.png"
    small.write_bytes(encode_png(pixels, envelope("generate", request, {"stage": "base"})))
    assert entry_of("r", small, read_metadata(small)) is None


# --- the standing ---


def test_the_standing_counts_wins_ties_and_losses() -> None:
    votes = [between("a", "b"), between("b", "a"), between("b", "a"), between("a", "b", "tie"), between("b", "a", "right")]
    found = standing(["a", "b"], votes)
    first, second = found.rows  # the votes: a, b, b, tie, a
    assert (first.won, first.tied, first.lost) == (2, 1, 2) and first.votes == second.votes == 5
    assert first.score == pytest.approx(1000) and found.virtual_ties == 0
    won = standing(["a", "b"], [*votes, between("b", "a"), between("b", "a")])
    assert [row.contestant for row in won.rows] == ["b", "a"]
    assert won.rows[0].score - won.rows[1].score == pytest.approx(400 * np.log10(4.5 / 2.5))
    assert standing_table(won).rows == 2 and votes_table(votes).rows == 5


def test_a_standing_is_kept_with_its_votes(store: ResultsStore, tmp_path: Path) -> None:
    for scale in (1.0, 3.0):
        keep(store, "a cat", 0, guidance_scale=scale)
    path, context = tmp_path / "votes.jsonl", JobContext(services={"results": store})
    request = VoteRequest(field="guidance_scale", votes=str(path))
    with pytest.raises(jobs.NothingToCount, match="no vote"):
        run_inline(jobs.keep_standing, request, context=context)
    entries = run_inline(jobs.survey, context=context).entries
    shown: jobs.Round = run_inline(jobs.ask, jobs.Ask(request, entries, path), context=context)
    assert shown.pair is not None and shown.left is not None and shown.left.shape == (8, 8, 3) and shown.left_over == 1
    after = run_inline(jobs.ask, jobs.Ask(request, entries, path, shown.contest, vote_on(shown.pair)), context=context)
    assert after.pair is None and after.left_over == 0 and len(after.ballots.votes) == 1
    record = store.get(run_inline(jobs.keep_standing, request, context=context))
    assert record.kind == "vote" and set(record.files) == {"standing.csv", "votes.csv"}
    assert shown.pair.left.settings["guidance_scale"] == record.title.split(" > ")[0]
    assert json.loads((record.folder / "record.json").read_text())["metrics"]["1"] > 0
    with pytest.raises(jobs.NothingToCount, match="file of votes"):
        run_inline(jobs.keep_standing, VoteRequest(field="guidance_scale"), context=context)
