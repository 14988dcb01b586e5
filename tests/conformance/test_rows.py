"""The table of rows is whole, and no row is listed without a test."""

from __future__ import annotations

import inspect

from tests.conformance.rows import ROWS, SECTIONS, shown_by

WANTED = {
    *(f"A{n}" for n in range(1, 21)),
    *(f"B{n}" for n in range(1, 31) if n != 26),  # about encryption, which there is none of
    *(f"C{n}" for n in range(1, 19)),
    "E4",
}


def test_the_table_has_every_row() -> None:
    """Sixty-eight rows, by their ids; every section has its heading."""
    assert len(WANTED) == 68
    assert set(ROWS) == WANTED
    assert {row[0] for row in ROWS} == SECTIONS.keys()


def test_every_row_has_a_test_and_every_test_a_row() -> None:
    """A row without a test would be a promise without evidence; a test without a row would not be listed."""
    assert set(shown_by()) == WANTED


def test_every_row_is_shown_through_both_adapters() -> None:
    """At least one test of each row uses `protect`, which makes the same gate in either world."""
    alone = [
        row
        for row, shown in shown_by().items()
        if not any("protect" in inspect.signature(function).parameters for _, function in shown)
    ]
    assert alone == []


def test_every_test_says_what_it_shows() -> None:
    """One sentence each."""
    assert [
        name for shown in shown_by().values() for name, function in shown if not (function.__doc__ or "").strip()
    ] == []
