"""Tables of every kind, whole and broken: what is read, what is left out, and that it is said."""

from __future__ import annotations

import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from studio.ml.data.tables import TableUnreadable, read_table, read_text, select


def written(folder: Path, text: str, name: str = "table.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize("text", [
    "x,y\n1,2.5\n2,3.5\n",
    "x;y\n1;2,5\n2;3,5\n",
    "x\ty\n1\t2.5\n2\t3.5\n",
    "x|y\n 1| 2.5\n 2| 3.5\n",
    "\ufeffx,y\r\n1,2.5\r\n2,3.5\r\n",
])  # fmt: skip
def test_separators_decimal_marks_and_line_ends(tmp_path: Path, text: str) -> None:
    chosen = select(read_table(written(tmp_path, text)), ["x"], "y")
    np.testing.assert_array_equal(chosen.x, [[1], [2]])
    np.testing.assert_array_equal(chosen.y, [2.5, 3.5])
    assert (chosen.labels, chosen.notes) == (("x", "y"), ())


@pytest.mark.parametrize("suffix", [".csv", ".xlsx", ".parquet"])
def test_files_of_every_kind_say_the_same(tmp_path: Path, suffix: str) -> None:
    dates = pd.date_range("2020-01-01", periods=1500, freq="D")
    frame = pd.DataFrame({"when": dates, "value": np.arange(1500.0), "who": ["a"] * 1500})
    frame.loc[3, "value"] = np.nan
    path = tmp_path / f"table{suffix}"
    {".csv": frame.to_csv, ".xlsx": frame.to_excel, ".parquet": frame.to_parquet}[suffix](path, index=False)
    table = read_table(path)
    assert [column.kind for column in table.columns] == ["date", "number", "text"]
    assert table.usable == ("when", "value")
    chosen = select(table, ["when"], "value")
    assert chosen.labels == ("when, year", "value")
    assert chosen.x[0, 0] == 2020
    assert chosen.x[180, 0] == pytest.approx(2020 + 181 / 366)
    assert chosen.notes == ("1 of 1500 rows are left out because a value is missing: 1 in “value”.",)


@pytest.mark.parametrize(("entries", "label", "last"), [
    (["2020-01-01", "2020-01-11"], "t, days since 2020-01-01 00:00", 10),
    (["2020-01-01 06:00", "2020-01-01 18:00"], "t, hours since 2020-01-01 06:00", 12),
    (["2020-01-01 06:00:00", "2020-01-01 06:00:05"], "t, seconds since 2020-01-01 06:00", 5),
    (["31.01.2020", "05.02.2020"], "t, days since 2020-01-31 00:00", 5),
    (["01/31/2020", "02/05/2020"], "t, days since 2020-01-31 00:00", 5),
    (["2020-01-01T00:00:00+02:00", "2020-01-10T22:00:00Z"], "t, days since 2019-12-31 22:00", 10),
])  # fmt: skip
def test_dates_become_numbers_in_a_unit_of_their_span(entries: list[str], label: str, last: float) -> None:
    table = read_text("t;y\n" + "\n".join(f"{entry};{i}" for i, entry in enumerate(entries)))
    chosen = select(table, ["t"], "y")
    assert chosen.labels[0] == label
    assert chosen.x[-1, 0] == pytest.approx(last)


def test_dates_out_of_order_are_noted_and_kept() -> None:
    chosen = select(read_text("t,y\n2020-03-01,1\n2020-01-01,2\n2020-02-01,3"), ["t"], "y")
    np.testing.assert_array_equal(chosen.y, [1, 2, 3])
    assert "not in order" in chosen.notes[0]


def test_odd_entries_and_gaps_are_told() -> None:
    rows = [f"{i},{i}" for i in range(40)]
    rows[4], rows[7], rows[9] = "4,n.d.", "7,", "9,inf"
    table = read_text("x,y\n" + "\n".join(rows) + "\n,\n")
    assert table.notes == ("1 empty rows are left out.",)
    chosen = select(table, ["x"], "y")
    assert len(chosen.y) == 37
    assert chosen.notes[1:] == (
        "2 entries of “y”, such as “n.d.”, are no finite numbers and count as missing.",
        "3 of 40 rows are left out because a value is missing: 3 in “y”.",
    )


def test_pasted_cells_without_a_header() -> None:
    table = read_text("1\t2,5\n2\t3,5\n")
    assert [column.name for column in table.columns] == ["column 1", "column 2"]
    np.testing.assert_array_equal(table.columns[1].values, [2.5, 3.5])


def test_several_inputs_and_repeated_names() -> None:
    table = read_text("a,a,y\n1,2,3\n4,5,6")
    assert table.usable == ("a", "a.1", "y")
    np.testing.assert_array_equal(select(table, ["a", "a.1"], "y").x, [[1, 2], [4, 5]])


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_of_a_huge_file_the_first_rows_are_read(tmp_path: Path, suffix: str) -> None:
    frame = pd.DataFrame({"x": np.arange(5000.0), "y": 1.0})
    path = tmp_path / f"huge{suffix}"
    frame.to_csv(path, index=False) if suffix == ".csv" else frame.to_parquet(path, index=False, row_group_size=700)
    table = read_table(path, limit=1000)
    assert table.rows == 1000
    assert select(table, ["x"], "y").notes == ("The file has more than 1,000 rows; the first 1,000 are read.",)


@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_scales_are_kept(scale: float) -> None:
    np.testing.assert_array_equal(read_text(f"x,y\n1,{scale}\n2,{2 * scale}").columns[1].values, [scale, 2 * scale])


@pytest.mark.parametrize(("content", "name", "says"), [
    (b"", "a.csv", "is empty"),
    (b"x,y\n", "a.csv", "no rows below its header"),
    (b"\x00\x01PNG", "a.png", "Known are .csv"),
    (b"not a zip", "a.xlsx", "cannot be read as a table"),
    (b"not parquet", "a.parquet", "not a Parquet file"),
    (b'x,y\n"1,2\n3,4\n', "a.csv", "cannot be read as a table"),
])  # fmt: skip
def test_what_is_no_table_says_so(tmp_path: Path, content: bytes, name: str, says: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(TableUnreadable, match=says):
        read_table(path)


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(TableUnreadable, match="No such file"):
        read_table(tmp_path / "a.csv")


@pytest.mark.parametrize(("inputs", "output", "says"), [
    (["name"], "y", "“name” is text .such as “ann”., and points need numbers or dates: x, y"),
    (["x"], "z", "no column “z”; there are name, x, y"),
    (["x"], "x", "another one for y"),
    ([], "y", "one column or more for x"),
])  # fmt: skip
def test_choices_that_give_no_points_say_so(inputs: list[str], output: str, says: str) -> None:
    with pytest.raises(TableUnreadable, match=says):
        select(read_text("name,x,y\nann,1,2\nbob,3,4"), inputs, output)


def test_no_complete_row_says_so() -> None:
    with pytest.raises(TableUnreadable, match="No row has a value in each of x, y"):
        select(read_text("x,y\n1,\n,2"), ["x"], "y")


def test_nothing_pasted_says_so() -> None:
    with pytest.raises(TableUnreadable, match="Copy some cells"):
        read_text("  \n")


def test_years_are_those_of_the_calendar() -> None:
    table = read_text("t,y\n" + "\n".join(f"{datetime.date(2000 + i, 7, 1)},{i}" for i in range(6)))
    np.testing.assert_allclose(table.columns[0].values[:2], [2000 + 182 / 366, 2001 + 181 / 365], rtol=1e-12)
