"""Run one target: `python -m fuzz TARGET [libFuzzer's options]`, starting from its corpus.

The targets: token, headers, rules, rulesfile, verdicts.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["jwt_middleware"]):
    from fuzz.targets import TARGETS

if len(sys.argv) < 2 or sys.argv[1] not in TARGETS:
    sys.exit(__doc__)
_, name, *options = sys.argv
with tempfile.TemporaryDirectory() as found:  # what is found new goes here, and not into the repository
    corpus = Path(__file__).parent / "corpus" / name
    no_hang = "-timeout=20"  # seconds for one input; libFuzzer's own limit is twenty minutes
    atheris.Setup([sys.argv[0], no_hang, *options, found, str(corpus)], TARGETS[name])
    atheris.Fuzz()
