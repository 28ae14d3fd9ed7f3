from __future__ import annotations

import pytest
from studio_plugins.generate.prompts import PromptHistory


def test_prompts_are_kept_newest_first_each_once_and_bounded(tmp_path):
    history = PromptHistory(tmp_path / "new" / "prompts.json", limit=3)
    for prompt in ("a", "b", "a", "  ", "c", "d"):
        history.add(prompt)
    assert history.prompts == ("d", "c", "a")
    assert PromptHistory(tmp_path / "new" / "prompts.json").prompts == ("d", "c", "a")
    history.clear()
    assert PromptHistory(tmp_path / "new" / "prompts.json").prompts == ()


@pytest.mark.parametrize("content", ["", "{", '{"a": 1}', "[1, null]", "\x00\xff"])
def test_a_damaged_file_reads_as_empty(tmp_path, content):
    (tmp_path / "prompts.json").write_text(content, encoding="utf-8")
    assert PromptHistory(tmp_path / "prompts.json").prompts == ()


def test_a_folder_that_cannot_be_written_keeps_the_prompt_in_memory(tmp_path):
    (tmp_path / "file").write_text("")
    history = PromptHistory(tmp_path / "file" / "prompts.json")
    with pytest.raises(OSError):
        history.add("a cat")
    assert history.prompts == ("a cat",)
