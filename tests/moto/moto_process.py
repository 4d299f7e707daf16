"""moto's server as a process of its own: says its port, and serves until its standard input ends.

A process, as moto then shares neither our warnings, nor our event loop, nor its patches of botocore with the tests; and
standard input, as that ends even if the tests are killed.
"""

import sys

from moto.server import ThreadedMotoServer

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
sys.stdout.write(f"{server.get_host_and_port()[1]}\n")
sys.stdout.flush()
sys.stdin.read()
