"""Write the generated pages: `make docs`. A test holds them against the code."""

from __future__ import annotations

import importlib
import subprocess
import sys
import tempfile
from itertools import groupby
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from jwt_middleware.settings import DECLARATIONS, variable

DOCS = Path(__file__).parent
ROOT = DOCS.parent
HEAD = """# Settings

<!-- Generated from jwt_middleware/settings.py by `make docs`. -->

Each setting is an environment variable and a keyword argument (lower case, without `JWT_`), which wins. Durations are
seconds or `15m`, `12h`, `30d`; sizes are bytes or `64KiB`, `32MiB`; lists are separated by commas. Those marked
*file* can also be read from the file that `JWT_NAME_FILE` names; both forms together are an error. A variable that is
set but empty is an error, except for lists that may be empty and where the table says so.
"""


def settings_page() -> str:
    """Return the table of all settings, by area."""
    lines = [HEAD]
    for area, group in groupby(DECLARATIONS.items(), key=lambda item: item[1].area):
        lines += [f"## {area}\n", "| variable | default | |", "|---|---|---|"]
        for name, declaration in group:
            default = f"`{declaration.shown_default}`" if declaration.shown_default else ""
            marks = " *file*" if declaration.from_file else ""
            lines.append(f"| `{variable(name)}`{marks} | {default} | {declaration.help} |")
        lines.append("")
    return "\n".join(lines)


CONFORMANCE_HEAD = """# Conformance

<!-- Generated from tests/conformance and tests/test_advisories.py by `make docs`. -->

What the standards and the misfortunes of others ask of us, and the tests that show it. `make docs` runs these tests and
writes this page only if every one that is named here passed; CI runs them on every change, with the page held against
the tests. A row without a test cannot be listed. Vectors of others (Wycheproof, RFC 7515, 7520, 7797, 8037) are run by
[test_vectors.py](../tests/test_vectors.py), whose tables name those that we refuse on purpose.

## Rows

Each is shown through both adapters.
"""
ADVISORIES_HEAD = """## Advisories

What happened elsewhere, and the test that it does not happen here, all of them in
[test_advisories.py](../tests/test_advisories.py).

| | advisory | where | what happened | test |
|--:|---|---|---|---|"""
OTHERS_HEAD = """
### Those that do not apply

| | advisory | where | what happened | why not |
|--:|---|---|---|---|"""
REQUESTS_HEAD = """# Requests

<!-- Generated from tests/servers_matrix/rows.py by `make docs`. -->

What clients may send that no browser would, and what becomes of it. Each row is shown in one process, through both
adapters, and on real servers over plain sockets: uvicorn with h11 and with httptools, hypercorn, granian (ASGI and
WSGI), daphne, gunicorn and waitress, each around an app of some framework; `make test-all` has the other pairs. A row
without a test cannot be listed.

| | request | outcome | in one process | on real servers |
|---|---|---|---|---|"""
CONFORMANCE_TESTS = ("tests/conformance", "tests/test_advisories.py", "tests/test_vectors.py")


def conformance_page() -> str:
    """Return the rows and the advisories with their tests, as the tests themselves tell them."""
    advisories, rows = _evidence()
    lines = [CONFORMANCE_HEAD]
    for section, heading in rows.SECTIONS.items():
        lines += [f"### {section}. {heading}\n", "| | source | requirement | tests |", "|---|---|---|---|"]
        for row, (source, requirement, missing) in rows.ROWS.items():
            if row.startswith(section):
                named = "<br>".join(_link(test) for test, _ in rows.shown_by()[row])
                lines.append(
                    f"| {row} | {source} | {f'{requirement} *{missing}*' if missing else requirement} | {named} |"
                )
        lines.append("")
    lines.append(ADVISORIES_HEAD)
    for number, (ids, where, what, names) in sorted(advisories.catalogue().items()):
        lines.append(f"| {number} | {ids} | {where} | {what} | {'<br>'.join(f'`{name}`' for name in names)} |")
    lines.append(OTHERS_HEAD)
    for number, (ids, where, what, reason) in advisories.DO_NOT_APPLY.items():
        lines.append(f"| {number} | {ids} | {where} | {what[0].upper()}{what[1:]}. | {reason} |")
    return "\n".join(lines) + "\n"


def requests_page() -> str:
    """Return the rules for requests, with the tests that show them."""
    rows = _imported("tests.servers_matrix.rows")
    named = rows.by_name()
    lines = [REQUESTS_HEAD]
    for number, row in rows.ROWS.items():
        outcome = f"{row.expected}. *{row.but}*" if row.but else f"{row.expected}."
        alone, served = ("<br>".join(map(_link, tests)) for tests in (row.alone, [*named.get(number, []), *row.served]))
        lines.append(f"| {number} | {row.what}. | {outcome} | {alone} | {served} |")
    return "\n".join(lines) + "\n"


def _imported(module: str) -> Any:
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    return importlib.import_module(module)


def _evidence() -> tuple[Any, Any]:
    return _imported("tests.test_advisories"), _imported("tests.conformance.rows")


def _link(test: str) -> str:
    path, _, name = test.rpartition("::")
    path = path.partition("::")[0]
    return f"[{name}](../tests/{path})"


def failed() -> list[str]:
    """Run the tests that the conformance page names; return those that did not all pass, or did not run."""
    advisories, rows = _evidence()
    listed = {test.partition("::")[2] for tests in rows.shown_by().values() for test, _ in tests}
    listed |= {name for *_, names in advisories.catalogue().values() for name in names}
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", *CONFORMANCE_TESTS, f"--junit-xml={report}"]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
        cases = ElementTree.parse(report).getroot().iter("testcase")
        passed, bad = set(), set()
        for case in cases:
            name = str(case.get("name")).partition("[")[0]
            (bad if {child.tag for child in case} & {"failure", "error", "skipped"} else passed).add(name)
    return sorted(bad | (listed - passed) | ({done.stdout[-2000:]} if done.returncode else set()))


PAGES = {
    DOCS / "settings.md": settings_page,
    DOCS / "conformance.md": conformance_page,
    DOCS / "requests.md": requests_page,
}

if __name__ == "__main__":
    if wrong := failed():
        sys.exit("docs/conformance.md is not written, since these tests did not pass:\n" + "\n".join(wrong))
    for path, page in PAGES.items():
        path.write_text(page(), "utf-8")
        print(f"wrote {path.name}")
