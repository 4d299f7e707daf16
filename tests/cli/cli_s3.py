"""A Lambda, a bucket, and machines that share nothing else, for tests of runs in S3."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from cli_harness import Cli, RunFiles, Simulated
from s3_server import BUCKET, S3Server


@dataclass(frozen=True)
class World:
    """A Lambda, a bucket, and as many machines as are wanted."""

    simulated: Simulated
    s3: S3Server
    folder: Path
    prefix: str

    @property
    def url(self) -> str:
        return f"s3://{BUCKET}/{self.prefix}"

    def machine(self, name: str, *, s3: str | None = None, **more: str) -> Cli:
        """An empty one."""
        home = self.folder / name
        (home / "tmp").mkdir(parents=True)
        service = self.simulated.environment
        mine = self.s3.environment(s3) | {"AWS_ENDPOINT_URL_LAMBDA": service["AWS_ENDPOINT_URL"]}
        place = {"BULK_ESM_RUNS_DIR": self.url, "TMPDIR": str(home / "tmp"), "XDG_RUNTIME_DIR": str(home)}
        return Cli(home, {**service, **mine, "AWS_REGION": service["AWS_REGION"], **place, **more})

    def copied(self, name: str, run: str = "last") -> RunFiles:
        """A run's files, as any machine may fetch them."""
        done = self.machine(name)("runs", "--run", run, "--copy-to", "there")
        assert done.code == 0, done.stderr
        [path] = (self.folder / name / "there").iterdir()
        return RunFiles(path)


def accepted(world: World) -> Counter[str]:
    return Counter({uuid: count for uuid, count in world.simulated.accepted().items() if count})
