"""The documentation: its links lead somewhere, and docs/architecture.md maps the code there is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "server" / "pgthreads"
PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "examples" / "README.md"],
)
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def _prose(page: Path) -> Iterator[str]:
    """Yield the lines of a page that are outside of its code blocks."""
    in_code = False
    for line in page.read_text().splitlines():
        if line.startswith("```"):
            in_code = not in_code
        elif not in_code:
            yield line


@cache
def _anchors(page: Path) -> frozenset[str]:
    """Return the anchors that a renderer makes of a page's headings."""
    headings = (line for line in _prose(page) if re.match(r"#+ ", line))
    return frozenset(
        re.sub(r"[^\w\- ]", "", heading.lstrip("# ").lower()).replace(" ", "-")
        for heading in headings
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_and_headings(page: Path) -> None:
    broken = []
    for link in (link for line in _prose(page) for link in _LINK.findall(line)):
        if link.startswith(("http:", "https:")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in _anchors(target)):
            broken.append(link)
    assert broken == []


_STAR = re.compile(r"\bselect\s+(?:\w+\.)?\*\s+from\s+pgthreads\.\w+\s*\([^;`]*", re.IGNORECASE)


def test_callers_name_the_columns_that_they_select() -> None:
    """After an upgrade that adds a column, a prepared `select a.*` fails with 0A000."""
    sources = [
        path
        for folder in ("examples", "server/pgthreads", "bench")
        for path in (ROOT / folder).rglob("*")
        if path.is_file()
        and not {"node_modules", "web", "__pycache__"} & {*path.relative_to(ROOT).parts}
    ]
    found = [
        f"{page.relative_to(ROOT)}: {' '.join(star.split())[:80]}"
        for page in [*PAGES, *sources]
        for star in _STAR.findall(page.read_text(errors="replace"))
    ]
    assert found == []


def _mapped(pattern: str) -> list[str]:
    """Return what the first column of a table in docs/architecture.md names, as this says."""
    text = (ROOT / "docs" / "architecture.md").read_text()
    return re.findall(rf"^\| `({pattern})` \|", text, re.MULTILINE)


def test_the_map_names_each_module_once_and_no_other() -> None:
    modules = [path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py")]
    assert sorted(_mapped(r"[\w/]+\.py")) == sorted(modules)


def test_the_map_names_each_module_of_the_page_once_and_no_other() -> None:
    modules = [path.relative_to(ROOT).as_posix() for path in (ROOT / "web" / "src").rglob("*.ts")]
    assert sorted(_mapped(r"web/[\w/.-]+\.ts")) == sorted(modules)


def test_the_map_names_each_folder_of_the_database_once_and_no_other() -> None:
    folders = {path.parent for path in (ROOT / "db").rglob("*") if path.is_file()}
    rooms = {
        f"{folder.relative_to(ROOT).as_posix()}/"
        for folder in folders
        if folder.parent in (ROOT / "db", ROOT / "db" / "functions")
    }
    assert sorted(_mapped(r"db/[\w/]+/")) == sorted(rooms)
