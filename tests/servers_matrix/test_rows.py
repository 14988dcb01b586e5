"""The table of rules for requests is whole: no row without a test, no test without a row."""

from __future__ import annotations

import inspect

from tests.servers_matrix.rows import ROWS, by_name, function


def test_every_row_is_there() -> None:
    """Twenty-two, and every test that is named by a row has one."""
    assert list(ROWS) == [f"R{number}" for number in range(1, 23)]
    assert by_name().keys() <= ROWS.keys()


def test_every_row_is_shown_on_real_servers() -> None:
    """By tests that bear its name, or that it names."""
    assert [name for name, row in ROWS.items() if not by_name().get(name) and not row.served] == []
    parameters = {test: inspect.signature(function(test)).parameters for tests in by_name().values() for test in tests}
    parameters |= {test: inspect.signature(function(test)).parameters for row in ROWS.values() for test in row.served}
    assert [test for test, names in parameters.items() if not {"site", "launch"} & set(names)] == []


def test_every_row_is_shown_through_both_adapters() -> None:
    """At least one test of each row uses `protect`, or the row says why none does."""
    alone = [
        name
        for name, row in ROWS.items()
        if not any("protect" in inspect.signature(function(test)).parameters for test in row.alone)
    ]
    assert [name for name in alone if not ROWS[name].but] == []
    assert alone == ["R6", "R15", "R16", "R17", "R21"]


def test_every_test_says_what_it_shows() -> None:
    """One sentence each."""
    tests = [test for name, row in ROWS.items() for test in (*row.alone, *row.served, *by_name().get(name, ()))]
    assert [test for test in tests if not (function(test).__doc__ or "").strip()] == []
