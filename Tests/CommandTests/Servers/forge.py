"""Comments of GitHub and notes of GitLab, as far as examples/ci uses them. Prints its port, then each request."""
import json, re, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

# As people and other bots left them; the marker of somebody else is not ours to change.
MARKER = "<!-- mizar-reconcile plan -->\n"
things = [{"id": n, "body": f"comment {n}", "user": {"type": "Bot"}, "author": {"id": 7}} for n in range(1, 121)]
things.append({"id": 500, "body": MARKER + "copied", "user": {"type": "User"}, "author": {"id": 8}})


class Handler(BaseHTTPRequestHandler):
    def answer(self, value, status=200):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def handle_any(self):
        token = self.headers.get("PRIVATE-TOKEN") or self.headers.get("Authorization", "").removeprefix("Bearer ")
        length = int(self.headers.get("Content-Length") or 0)
        sent = json.loads(self.rfile.read(length)) if length else {}
        path, _, query = self.path.partition("?")
        print(self.command, path, flush=True)
        if token != "secret":
            return self.answer({}, 401)
        if path == "/user":
            return self.answer({"id": 7})
        if self.command == "GET":
            page = int(re.search(r"[&?]page=(\d+)", "?" + query).group(1))
            return self.answer(things[(page - 1) * 100 : page * 100])
        if self.command == "POST":
            things.append({"id": 1000 + len(things), "body": sent["body"], "user": {"type": "Bot"}, "author": {"id": 7}})
            return self.answer(things[-1], 201)
        for thing in things:
            if thing["id"] == int(path.rsplit("/", 1)[1]):
                thing["body"] = sent["body"]
                return self.answer(thing)
        self.answer({}, 404)

    do_GET = do_POST = do_PATCH = do_PUT = handle_any

    def log_message(self, *arguments):
        pass


server = HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
