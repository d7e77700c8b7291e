"""inetd.py COMMAND...: listens on a free port of the loopback interface, prints the port, and runs COMMAND for each
connection with the connection as its standard input and output. Ends its commands with itself (SIGTERM)."""

import signal
import socket
import subprocess
import sys

signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
children = []
with socket.create_server(("127.0.0.1", 0)) as server:
    print(server.getsockname()[1], flush=True)
    try:
        while True:
            connection, _ = server.accept()
            with connection:
                children.append(subprocess.Popen(sys.argv[1:], stdin=connection, stdout=connection))
    finally:
        for child in children:
            child.kill()
            child.wait()
