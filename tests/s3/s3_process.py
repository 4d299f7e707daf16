"""moto's S3 as a process of its own: says its port, and serves until its standard input ends.

moto looks whether a condition holds, and writes, in two steps, between which its threads may change: where they do so
eagerly, 19 of 600 races of twelve writers had two winners, as S3's never have. So here requests take turns.
"""

import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

_moto = DomainDispatcherApplication(create_backend_app)
_lock = threading.Lock()


def one_at_a_time(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    with _lock:
        return list(_moto(environ, start_response))


server = make_server("127.0.0.1", 0, one_at_a_time, threaded=True, request_handler=MotoRequestHandler)
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdout.write(f"{server.server_port}\n")
sys.stdout.flush()
sys.stdin.read()
