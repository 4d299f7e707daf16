"""The site of docs/ is built without a warning or a network, and no page of it fetches anything from elsewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import bulk_esm
from bulk_esm.cli.app import COMMANDS
from bulk_esm.cli.schemas import DESCRIBED

ROOT = Path(__file__).parent.parent
BUILD = """
import socket, sys

def refuse(*_):
    raise AssertionError("the build wants to reach something")

socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse
from sphinx.cmd.build import main
sys.exit(main(sys.argv[1:]))
"""
FETCHED = re.compile(
    r"""<(?:script|img|iframe|source|video|audio|embed|object)\b[^>]*?(?:src|data|srcset)=["']?(?:https?:)?//"""
    r"""|<link\b(?=[^>]*rel="?(?:stylesheet|preload|icon|preconnect|dns-prefetch))[^>]*href=["']?(?:https?:)?//"""
    r"""|@import\s+(?:url\()?["']?(?:https?:)?//|url\(["']?(?:https?:)?//""",
    re.IGNORECASE,
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    options = ["-b", "html", "-W", "--keep-going", "-q", "-d", str(folder / "doctrees")]
    done = subprocess.run(
        [sys.executable, "-c", BUILD, *options, str(ROOT / "docs"), str(folder / "html")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return folder / "html"


def test_no_page_fetches_anything_from_elsewhere(site: Path) -> None:
    found = [path for kind in ("html", "css") for path in sorted(site.rglob(f"*.{kind}"))]
    assert len(found) > 20
    for path in found:
        assert FETCHED.findall(path.read_text(encoding="utf-8")) == [], path.relative_to(site)


def test_what_would_be_fetched_is_found() -> None:
    for text in (
        '<script async src="https://cdn.example/a.js">',
        '<link rel="stylesheet" type="text/css" href="//fonts.example/css?family=Inter" />',
        "@import url('https://fonts.example/css');",
        "src: url(https://fonts.example/a.woff2)",
        '<img alt="badge" src="https://img.example/badge.svg">',
    ):
        assert FETCHED.search(text), text
    assert not FETCHED.search('<a href="https://github.com/pradyunsg/furo">Furo</a><script src="_static/a.js">')


def test_every_command_file_and_name_has_its_place(site: Path) -> None:
    for command in COMMANDS:
        page = (site / "generated" / "commands" / f"{command}.html").read_text(encoding="utf-8")
        assert f"bulk-esm {command}" in page
    assert "--function" in (site / "generated" / "commands" / "pause.html").read_text(encoding="utf-8")
    files = (site / "generated" / "files.html").read_text(encoding="utf-8")
    assert [name for name in DESCRIBED if f'id="{name}"' not in files] == []
    api = (site / "generated" / "python.html").read_text(encoding="utf-8")
    names = [name for name in bulk_esm.__all__ if not name.startswith("_")]
    assert [name for name in names if f'id="bulk_esm.{name}"' not in api] == []
