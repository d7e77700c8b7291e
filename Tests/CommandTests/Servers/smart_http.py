"""smart_http.py ROOT [--certificate PEM] [--password WORD] [--redirect URL] …: serves the repositories below ROOT with
git http-backend on a free port of the loopback interface, over TLS if it has a certificate (with its key), and prints
the port; then a line for each request: method, path, and the password in it or “-”. As a proxy it serves the same, whatever
host is asked for, and connects to the loopback interface alone."""

import argparse
import base64
import os
import select
import socket
import ssl
import subprocess
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

parser = argparse.ArgumentParser()
parser.add_argument("root")
parser.add_argument("--certificate")
parser.add_argument("--ipv6", action="store_true")
parser.add_argument("--password", help="what requests must have as user:password")
parser.add_argument("--challenge", action="append", help="what a 401 asks for in place of Basic")
parser.add_argument("--proxy-password", help="what a proxy's requests must have as user:password")
parser.add_argument("--redirect", help="where all requests are sent")
parser.add_argument("--moved", help="requests below /moved/ are sent here, which is a URL or a part of one")
parser.add_argument("--body", type=int, default=0, help="bytes that 401, 407 and redirections have as their body")
parser.add_argument("--framing", default="length", choices=["length", "chunked", "close"], help="how every body ends")
parser.add_argument("--segments", action="store_true", help="a body comes after its head")
parser.add_argument("--status", type=int, help="what every request is answered with")
parser.add_argument("--field", action="append", default=[], help="NAME:VALUE, in every answer in place of the backend's")
parser.add_argument("--cut", action="store_true", help="the connection ends in the middle of a pack")
parser.add_argument("--http10", action="store_true")
options = parser.parse_args()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0" if options.http10 else "HTTP/1.1"

    def answer(self):
        path, _, query = self.path.partition("?")
        if path.startswith("http://"):  # to a proxy
            path = "/" + path.split("/", 3)[3]
        body = self.body()
        password = self.password("Authorization")
        print(self.command, path, password or "-", flush=True)
        if options.proxy_password and self.password("Proxy-Authorization") != options.proxy_password:
            return self.refuse(407, [("Proxy-Authenticate", 'Basic realm="proxy"')])
        if options.redirect:
            return self.refuse(302, [("Location", options.redirect + self.path)])
        if path.startswith("/moved/"):
            return self.refuse(301, [("Location", (options.moved or "/") + self.path.split("/moved/", 1)[1])])
        if options.password and password != options.password:
            return self.refuse(401, [("WWW-Authenticate", each) for each in options.challenge or ['Basic realm="git"']])
        if options.status:
            return self.refuse(options.status, [])
        backend = subprocess.run(
            ["git", "http-backend"], input=body, stdout=subprocess.PIPE, check=True,
            env={
                "PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": options.root, "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path,
                "QUERY_STRING": query, "REQUEST_METHOD": self.command, "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""), "REMOTE_ADDR": "127.0.0.1",
            })
        head, _, content = backend.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self.reply(int(fields.pop("Status", "200 OK").split()[0]), list(fields.items()), content)

    do_GET = do_POST = answer

    def do_CONNECT(self):
        print(self.command, self.path, "-", flush=True)
        if options.proxy_password and self.password("Proxy-Authorization") != options.proxy_password:
            return self.refuse(407, [("Proxy-Authenticate", 'Basic realm="proxy"')])
        with socket.create_connection(("127.0.0.1", int(self.path.rpartition(":")[2]))) as server:
            self.send_response(200)
            self.end_headers()
            self.wfile.flush()
            ends = {self.connection: server, server: self.connection}
            while True:
                for end in select.select(list(ends), [], [])[0]:
                    data = end.recv(65536)
                    if not data:
                        self.close_connection = True
                        return
                    ends[end].sendall(data)

    def password(self, field):
        return base64.b64decode(self.headers.get(field, "").removeprefix("Basic ")).decode()

    def body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def refuse(self, status, fields):
        """An answer without git's: no type, and words that look like the beginning of another answer."""
        self.reply(status, fields, (b"HTTP/1.1 200 OK\r\n\r\n" * options.body)[: options.body])

    def reply(self, status, fields, content=b""):
        fields = dict(fields) | dict(field.split(":", 1) for field in options.field) if options.field else fields
        fields = list(fields.items()) if isinstance(fields, dict) else fields
        if options.framing == "length":
            fields = fields + [("Content-Length", len(content))]
        elif options.framing == "chunked":
            fields = fields + [("Transfer-Encoding", "chunked")]
            half = len(content) // 2
            parts = [part for part in (content[:half], content[half:]) if part]
            content = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
        else:
            self.close_connection = True
        if options.cut and self.command == "POST":
            content = content[: len(content) // 2]
            self.close_connection = True
        self.send_response(status)
        for name, value in fields:
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        if options.segments:
            self.end_headers()
            self.wfile.flush()
            time.sleep(0.02)  # so that the client's kernel has handed on the head
            self.wfile.write(content)
        else:  # one write, one segment
            self._headers_buffer.append(b"\r\n" + content)
            self.flush_headers()

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    address_family = socket.AF_INET6 if options.ipv6 else socket.AF_INET
    daemon_threads = True


server = Server(("::1" if options.ipv6 else "127.0.0.1", 0), Handler)
if options.certificate:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options.certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
