"""A run of half the mappings is never taken for a run of all."""

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cli_harness import ACCOUNT, FAST, Inside

UUID = "00000000-0000-4000-8000-000000000000"
FUNCTION = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:f"
WHOLE = {"EventSourceMappings": [{"UUID": UUID, "FunctionArn": FUNCTION, "State": "Enabled"}], "NextMarker": "2"}

STS = f"<R><GetCallerIdentityResult><Account>{ACCOUNT}</Account></GetCallerIdentityResult></R>".encode()


@contextmanager
def serving(pages: dict[bool, Any]) -> Iterator[tuple[str, list[str]]]:
    """A control plane whose first page is that of False, and all others that of True; its URL, and what was asked."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """Answer."""
            asked.append(self.command)
            body = STS if self.command == "POST" else json.dumps(pages["Marker=" in self.path]).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_PUT = do_GET  # noqa: N815 - the names of http.server

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("first", [True, False])
def test_half_a_list_is_no_plan(
    first: bool,  # noqa: FBT001 - a parameter of the test
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    damaged = {"message": "Internal failure"}
    with serving({False: damaged if first else WHOLE, True: damaged}) as (url, asked):
        environment = {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": "simulated",
            "AWS_REGION": "us-east-1",
        }
        inside = Inside(tmp_path, monkeypatch, capsys)
        done = inside(environment, "pause", "--all", "--yes", *FAST)
    assert done.code == 2
    assert "DamagedAnswer" in done.stderr
    assert "PUT" not in asked
    assert not list(tmp_path.glob("bulk-esm-runs/*"))
