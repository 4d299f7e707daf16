"""The wheel, in an environment of its own outside the checkout, has all that it needs."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(CHECKOUT)]
    subprocess.run(build, check=True, capture_output=True)
    [wheel] = folder.glob("*.whl")
    venv.create(folder / "venv", with_pip=True)
    install = [str(folder / "venv/bin/python"), "-m", "pip", "install", "-q", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    return folder / "venv"


def run(environment: Path, *command: str) -> subprocess.CompletedProcess[str]:
    # The dependencies are those of this environment: a test reaches no registry. A path in PYTHONPATH does not heed
    # the .pth file of the editable install, so the package itself can only come from the wheel.
    variables = {"PATH": os.environ["PATH"], "PYTHONPATH": sysconfig.get_path("purelib"), "HOME": str(environment)}
    return subprocess.run(
        command, cwd=environment, env=variables, capture_output=True, text=True, check=False, timeout=120
    )


def test_the_package_is_that_of_the_wheel_and_typed(environment: Path) -> None:
    code = "import bulk_esm, pathlib; f = pathlib.Path(bulk_esm.__file__); print(f, (f.parent / 'py.typed').exists())"
    done = run(environment, str(environment / "bin/python"), "-c", code)
    assert done.stdout.startswith(str(environment.resolve())) or done.stdout.startswith(str(environment))
    assert done.stdout.endswith("True\n")


def test_the_command_works(environment: Path) -> None:
    done = run(environment, str(environment / "bin/bulk-esm"), "demo", "--mappings", "20")
    assert done.returncode == 0, done.stderr
    assert "enabled again" in done.stderr


def test_a_report_finds_its_templates(environment: Path) -> None:
    [run_folder] = (CHECKOUT / "tests/fixtures/runs/pause-finished/runs").iterdir()
    done = run(environment, str(environment / "bin/bulk-esm"), "report", str(run_folder), "--html", "-")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("<!doctype html>")
    assert "Pause finished" in done.stdout
