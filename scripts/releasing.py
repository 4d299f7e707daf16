"""Builds a release, and checks it in environments in which nothing else is."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
_HEADING: Final = "## {version} (DATE)"


def version_of(text: str) -> str:
    """The version that `_version.py` states.

    Args:
        text: of that file.

    Raises:
        SystemExit: it states none.
    """
    found = re.search(r'^__version__ = "([^"]+)"$', text, re.MULTILINE)
    if found is None:
        raise SystemExit("bulk_esm/_version.py states no version")
    return found[1]


def changelog_problem(text: str, version: str) -> str | None:
    """Why a changelog does not tell of a version, or None.

    Args:
        text: of the changelog.
        version: such as `1.2.0`.
    """
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    if not headings or not re.fullmatch(rf"{re.escape(version)} \(\d{{4}}-\d{{2}}-\d{{2}}\)", headings[0]):
        first = headings[0] if headings else "no heading"
        return f"CHANGELOG.md begins with {first!r}; a release begins with {_HEADING.format(version=version)!r}"
    return None


def tree_problem(status: str, tags: str, version: str) -> str | None:
    """Why a state of the repository is none to release, or None.

    Args:
        status: what `git status --porcelain` prints.
        tags: what `git tag` prints.
        version: such as `1.2.0`.
    """
    if status.strip():
        return "there are changes that are not committed"
    if f"v{version}" in tags.split():
        return f"v{version} is tagged already: raise the version in bulk_esm/_version.py"
    return None


def _run(*command: str | Path, cwd: Path = ROOT, **variables: str) -> str:
    print("+", *command, flush=True)
    environment = {**os.environ, **variables}
    done = subprocess.run(  # noqa: S603 - what is run is fixed
        list(map(str, command)), cwd=cwd, env=environment, check=False, text=True, stdout=subprocess.PIPE
    )
    if done.returncode:
        raise SystemExit(f"{command[0]} exited with {done.returncode}\n{done.stdout}")
    return done.stdout


def _checked(file: Path, version: str, folder: Path) -> Path:
    """Install a file where nothing is, use it, and give the environment's interpreter."""
    venv.create(folder, with_pip=False)
    python = folder / "bin/python"
    _run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", file, cwd=folder)
    said = _run(folder / "bin/bulk-esm", "--version", cwd=folder)
    if said.split()[:2] != ["bulk-esm", version]:
        raise SystemExit(f"{file.name} says that it is {said!r}")
    _run(folder / "bin/bulk-esm", "demo", "--mappings", "50", cwd=folder)
    _run(python, "-c", "import bulk_esm; [getattr(bulk_esm, name) for name in bulk_esm.__all__]", cwd=folder)
    return python


def _bill_of_materials(python: Path, out: Path) -> None:
    """What an environment with the wheel alone has in it, as CycloneDX."""
    options = ("--pyproject", ROOT / "pyproject.toml", "--output-reproducible", "--of", "JSON", "-o", out)
    _run(sys.executable, "-m", "cyclonedx_py", "environment", *options, python)
    names = {each["name"] for each in json.loads(out.read_text(encoding="utf-8"))["components"]}
    if not {"aiobotocore", "anyio", "msgspec"} <= names:
        raise SystemExit(f"{out.name} lacks dependencies: {sorted(names)}")


def main() -> None:
    """Build, check, and say what there is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trial", action="store_true", help="whatever the state of the repository")
    parser.add_argument("--outdir", type=Path, default=ROOT / "dist")
    options = parser.parse_args()
    version = version_of((ROOT / "bulk_esm/_version.py").read_text(encoding="utf-8"))
    status, tags = _run("git", "status", "--porcelain"), _run("git", "tag")
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    problem = tree_problem(status, tags, version) or changelog_problem(changelog, version)
    if problem is not None and not options.trial:
        raise SystemExit(f"no release: {problem}")
    out = options.outdir.absolute()
    if out == ROOT / "dist":
        shutil.rmtree(out, ignore_errors=True)
    elif out.exists() and any(out.iterdir()):
        raise SystemExit(f"{out} is not empty: name a new folder")
    committed_at = _run("git", "log", "-1", "--format=%ct").strip()
    _run(sys.executable, "-m", "build", "--outdir", out, ROOT, SOURCE_DATE_EPOCH=committed_at)
    (wheel,), (sdist,) = out.glob("*.whl"), out.glob("*.tar.gz")
    _run(sys.executable, "-m", "twine", "check", "--strict", wheel, sdist)
    with tempfile.TemporaryDirectory() as folder:
        _checked(sdist, version, Path(folder, "sdist"))
        python = _checked(wheel, version, Path(folder, "wheel"))
        _bill_of_materials(python, out / f"bulk_esm-{version}.cdx.json")
    files = sorted(path for path in out.iterdir() if path.is_file() and path.name != ".gitignore")
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files]
    (out / "SHA256SUMS").write_text("".join(sums), encoding="utf-8")
    print(*sums, sep="", end="")
    print(f"{version} is in {out}; tag the commit v{version}, and upload the wheel and the sdist")


if __name__ == "__main__":
    main()
