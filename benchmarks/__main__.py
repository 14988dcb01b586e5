"""Measure, in pairs: prints a table and writes JSON into benchmarks/results/."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import time
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from benchmarks.measure import Row

NAMES = ("cold", "cached", "adapters", "refusals", "tail", "imports", "signing_in", "servers")
VERSIONS = ("PyJWT", "cryptography", "uvicorn", "gunicorn", "granian", "starlette", "fastapi", "flask")
LINE = "{:<55} {:>8} {:<7} {:>7} {:>7}  {:<8} {:<3} {}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*NAMES, []], metavar="name", help=", ".join(NAMES))
    results = {name: _measure(name) for name in parser.parse_args().names or NAMES}
    file = Path(__file__).parent / "results" / time.strftime("%Y%m%dT%H%M%S.json")
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps({"machine": _machine(), "results": results}, indent=1, ensure_ascii=False))
    print(f"\n{file}")


def _measure(name: str) -> list[dict[str, object]]:
    print("\n" + LINE.format(name, "figure", "unit", "ratio", "(best)", "target", "met", "pair"))
    rows = []
    for row in importlib.import_module(f"benchmarks.{name}").rows():
        print(_line(row), flush=True)
        rows.append({**asdict(row), "met": row.met})
    return rows


def _line(row: Row) -> str:
    ratios = ["" if ratio is None else f"{ratio:.3f}" for ratio in (row.ratio, row.ratio_of_best)]
    target = "{} {:g}".format(*row.target) if row.target else ""
    met = {True: "yes", False: "NO", None: ""}[row.met]
    return LINE.format(row.what, f"{row.figure:.4g}", row.unit, *ratios, target, met, row.pair)


def _machine() -> dict[str, object]:
    versions = {name: version(name) for name in VERSIONS}
    about = {"python": platform.python_version(), "platform": platform.platform(), "cores": os.cpu_count()}
    return {**about, "load": os.getloadavg(), "versions": versions}


if __name__ == "__main__":
    main()
