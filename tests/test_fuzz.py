"""The fuzz targets hold for their corpus, and for what Atheris makes of it in some seconds."""

from __future__ import annotations

import logging
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fuzz.targets import TARGETS

ROOT = Path(__file__).parent.parent
CORPUS = sorted((ROOT / "fuzz" / "corpus").glob("*/*"))


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """The targets switch logging off; other tests of this process want it."""
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_a_target_holds_for_its_corpus_and_a_few_changes_of_it(path: Path) -> None:
    """Without Atheris too: each seed as it is, and with two hundred random changes."""
    target, seed, chance = TARGETS[path.parent.name], path.read_bytes(), random.Random(path.name)
    target(seed)
    for _ in range(200):
        where = chance.randrange(len(seed))
        target(seed[:where] + chance.randbytes(chance.randrange(3)) + seed[where + chance.randrange(3) :])


@pytest.mark.long
@pytest.mark.parametrize("name", TARGETS)
def test_atheris_finds_nothing_in_some_seconds(name: str, tmp_path: Path) -> None:
    """Led by coverage, ten seconds each; `make fuzz` for longer."""
    pytest.importorskip("atheris", reason="Atheris has no wheel for this Python or system")
    command = [sys.executable, "-m", "fuzz", name, "-max_total_time=10", f"-artifact_prefix={tmp_path}/"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, errors="replace"
    )
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-3000:]
    assert " runs in " in done.stderr
