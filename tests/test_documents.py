"""README.md and docs/ run: each page one after another, as if it were pasted, against the simulator and moto's S3."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from cli_harness import Cli, Done, Inside, Simulated, finish
from documents import DOCUMENTS, ROOT, SHELL, Block, blocks, indented_commands
from s3_server import S3Server, s3_server

from bulk_esm.cli.app import COMMANDS, make_app
from bulk_esm.cli.configuration import flags_of

SPEED: Final = 200.0
ALARMS: Final = ("consumers-lag", "orders-errors", "orders-lag")
SHORTER: Final = re.compile(r"(--(?:soak|bake|ramp)) \d+[smh]")  # of the time that a page says: its length is no news
OPERATOR: Final = re.compile(r"[|>;&]|\$\(")
MARKS: Final = {"not run", "parsed only", "exit", "file"}
INVENTED: Final = {"--batch-size-below", "--query"}  # of an example, and of the AWS CLI
BEFORE: Final = dict.fromkeys(("recovery.md", "report.md"), "bulk-esm apply --source-type kinesis --set BatchSize=77")
WIDEST: Final = 88  # characters of code beside the contents, on a wide screen
IDS: Final = [path.name for path in DOCUMENTS]


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with s3_server() as server:
        server._client().create_bucket(
            Bucket="my-bucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        yield server


class Reader:
    """Someone who pastes what a page has, in a folder of its own."""

    def __init__(self, home: Path, inside: Inside, environment: dict[str, str]) -> None:
        self._home = home
        self._inside = inside
        self._environment = environment

    def read(self, block: Block) -> None:
        """Do with a block what the page means to be done with it."""
        if block.how == "file":
            (self._home / block.what).write_text(block.text, encoding="utf-8")
            (self._home / block.what).chmod(0o755)
        elif block.how == "not run":
            return
        elif block.language == SHELL and block.how == "parsed only":
            for command in block.commands:
                parse(command)
        elif block.language == SHELL:
            *others, last = block.commands
            for command in others:
                self.run(command)
            self.run(last, code=int(block.what) if block.how == "exit" else 0)

    def run(self, command: str, *, code: int = 0) -> None:
        if exported := re.fullmatch(r"export (\w+)=(.*)", command):
            self._environment[exported[1]] = shlex.split(exported[2])[0]
            return
        shorter = re.sub(r" --rate 240\b", "", SHORTER.sub(r"\1 0.2s", command))
        done = self._shell(shorter) if OPERATOR.search(unquoted(shorter)) else self._command(shorter)
        assert done.code == code, (command, done.stderr)
        if code == 0:
            assert not re.search(r"^(0 mappings selected|warning: )", done.stderr, re.MULTILINE), (command, done.stderr)

    def _command(self, command: str) -> Done:
        name, *words = shlex.split(command)
        assert name == "bulk-esm", f"{command}: say why it is not run"
        environment = dict(self._environment)
        if words[0] == "doctor":  # which rightly says that this is more than Lambda gives
            del environment["BULK_ESM_RATE"]
        return self._inside(environment, *words)

    def _shell(self, command: str) -> Done:
        return Cli(self._home, self._environment).shell(command)


def unquoted(command: str) -> str:
    """A command without what is quoted in it."""
    return re.sub(r"'[^']*'|\"[^\"]*\"", "", command)


def python_code() -> list[str]:
    found = [block for path in DOCUMENTS for block in blocks(path) if block.language == "python"]
    return [block.text for block in found if block.how != "not run"]


def parse(command: str) -> None:
    """Read a command as the command line would."""
    name, *words = shlex.split(re.sub(r"\s>.*", "", command))
    assert name == "bulk-esm", command
    make_app(words[0]).parse_args(words, exit_on_error=False, print_error=False)


@pytest.mark.parametrize("document", DOCUMENTS, ids=IDS)
def test_a_page_does_what_it_says_when_it_is_pasted(
    document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], s3: S3Server
) -> None:
    found = list(blocks(document))
    if not any(block.language == SHELL and block.how != "not run" for block in found):
        return
    with Simulated(mappings=80, speed=SPEED, region="eu-west-1") as simulated:
        for name in ALARMS:
            simulated.ask(lambda name=name: simulated.simulator.set_alarm(name, "OK"))  # type: ignore[misc]
        service = simulated.environment
        runs = {"AWS_ENDPOINT_URL_LAMBDA": service["AWS_ENDPOINT_URL"], "AWS_ENDPOINT_URL_S3": s3.endpoint_url}
        said = {"BULK_ESM_RATE": f"{12 * SPEED:g}", "BULK_ESM_YES": "true"}
        reader = Reader(tmp_path, Inside(tmp_path, monkeypatch, capsys), {**service, **runs, **said})
        if document.name in BEFORE:
            reader.run(BEFORE[document.name])
        for block in found:
            reader.read(block)


def test_python_code_runs(tmp_path: Path) -> None:
    """All of it at once, each with a simulator of its own, as its pace is that of the real Lambda."""
    code = python_code()
    assert len(code) == 4
    with ExitStack() as stack:
        started = []
        for number, text in enumerate(code):
            home = tmp_path / str(number)
            home.mkdir()
            simulated = stack.enter_context(Simulated(mappings=80, speed=SPEED, region="eu-west-1"))
            process = subprocess.Popen(
                [sys.executable, "-c", text],
                cwd=home,
                env=Cli(home, simulated.environment).whole_environment(),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            started.append(stack.enter_context(process))
        for process in started:
            done = finish(process)
            assert done.code == 0, done.stderr
            assert re.search(r"updated|^50$", done.stdout), done.stdout


@pytest.mark.parametrize("document", DOCUMENTS, ids=IDS)
def test_a_block_says_what_it_is_and_why_it_is_not_run(document: Path) -> None:
    for block in blocks(document):
        assert block.language, f"{document.name}:{block.line} has no language"
        if block.language in {SHELL, "toml"} and document.parent.name == "docs":
            assert max(map(len, block.text.splitlines())) <= WIDEST, f"{document.name}:{block.line} is cut on the site"
        assert block.how is None or block.how in MARKS, f"{document.name}:{block.line}: {block.how}"
        if block.how in {"not run", "parsed only"}:
            assert len(block.what.split()) > 2, f"{document.name}:{block.line} does not say why"
    for command in indented_commands(document):
        parse(command)


def test_the_readme_is_one_page_that_leads_to_all_others() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 150
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"index.md", "contributing.md", "changelog.md"}
    assert pages - set(re.findall(r"\]\(docs/([a-z-]+\.md)[)#]", text)) == set()


def test_most_blocks_are_run() -> None:
    found = [block for document in DOCUMENTS for block in blocks(document) if block.language in {SHELL, "python"}]
    not_run = [block for block in found if block.how in {"not run", "parsed only"}]
    assert len(found) > 40
    assert len(not_run) < len(found) / 4


@pytest.mark.parametrize("document", DOCUMENTS, ids=IDS)
def test_what_is_no_code_is_of_the_form_that_it_says(document: Path) -> None:
    readers: dict[str, Any] = {"json": json.loads, "toml": tomllib.loads, "yaml": yaml.safe_load}
    for block in blocks(document):
        if reader := readers.get(block.language):
            found = reader(block.text)
            for statement in found.get("Statement", ()):
                assert statement["Effect"] == "Allow"


def test_what_a_crontab_is_shown() -> None:
    tables = [block for path in DOCUMENTS for block in blocks(path) if block.language == "crontab"]
    assert tables
    for line in (line for table in tables for line in table.text.splitlines()):
        *times, command = line.split(None, 5)
        assert len(times) == 5
        assert "%" not in command.replace("\\%", "")  # cron ends the command there
        parse(command.replace("\\%", "%"))


def test_what_python_code_imports_is_installed_or_said() -> None:
    """A user has bulk_esm and its dependencies, and not those of its tests."""
    code = python_code()
    assert code
    for line in (line for text in code for line in re.findall(r"^import .*|^from .* import .*", text, re.MULTILINE)):
        name = line.split()[1].partition(".")[0]
        assert name in {"bulk_esm", *sys.stdlib_module_names} or f"# pip install {name}" in line


def test_commands_and_flags_that_are_named_are_there() -> None:
    app = make_app()
    known = {f"--{flag}" for command in COMMANDS for flag in flags_of(app, command)}
    known |= {"--help", "--version", "--install-completion"}
    folders = [ROOT / "scripts", ROOT / "benchmarks"]  # whose programs have flags of their own
    programs = [path for folder in folders for path in (*folder.glob("*"), *folder.rglob("*.py")) if path.is_file()]
    programs.append(ROOT / "tests" / "test_guesses.py")
    theirs = " ".join(path.read_text(encoding="utf-8") for path in programs)
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        for block in blocks(document):
            text = text.replace(block.text, "") if block.how == "not run" else text  # it may be of other programs
        for flag in set(re.findall(r"(?<![\w-])--[a-z][a-z-]*[a-z]", text)) - known:
            assert re.search(rf'["\s]{flag}\b', theirs) or flag in INVENTED, f"{document.name}: {flag}"
        for variable in set(re.findall(r"\bBULK_ESM_(?!GATE_)[A-Z_]*[A-Z]", text)):
            assert f"--{variable.removeprefix('BULK_ESM_').lower().replace('_', '-')}" in known, variable
        for command in set(re.findall(r"`bulk-esm ([a-z]+)", text)):
            assert command in {*COMMANDS, "help", "version"}, f"{document.name}: bulk-esm {command}"


def test_scripts_that_are_named_are_there_and_parse() -> None:
    named = {name for path in DOCUMENTS for name in re.findall(r"\bscripts/(\w+)", path.read_text(encoding="utf-8"))}
    assert {"demo", "docs", "probe", "test"} <= named
    for name in sorted(named):
        script = ROOT / "scripts" / name
        assert os.access(script, os.X_OK) or script.is_dir(), name
        if script.is_file():
            assert subprocess.run(["sh", "-n", script], check=False).returncode == 0


@pytest.mark.parametrize(
    "document", [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"], ids=lambda path: path.name
)
def test_links_between_files_lead_somewhere(document: Path) -> None:
    """Sphinx looks at those of the site; these are read where the repository is."""
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", document.read_text(encoding="utf-8"))
    assert [target for target in targets if "://" not in target and not (ROOT / target).exists()] == []
