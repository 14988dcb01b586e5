"""Write the generated pages: `make docs`. A test holds them against the code."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from jwt_middleware.settings import DECLARATIONS, variable

DOCS = Path(__file__).parent
HEAD = """# Settings

<!-- Generated from jwt_middleware/settings.py by `make docs`. -->

Each setting is an environment variable and a keyword argument (lower case, without `JWT_`), which wins. Durations are
seconds or `15m`, `12h`, `30d`; sizes are bytes or `64KiB`, `32MiB`; lists are separated by commas. Those marked *file*
can also be read from the file that `JWT_NAME_FILE` names; both forms together are an error. A variable that is set but
empty is an error.
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


PAGES = {DOCS / "settings.md": settings_page}

if __name__ == "__main__":
    for path, page in PAGES.items():
        path.write_text(page(), "utf-8")
        print(f"wrote {path.name}")
