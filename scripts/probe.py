#!/usr/bin/env python3
"""What the demo's endpoints run.

probe.py serve NAME PORT READY LOG   answer TCP and UDP with NAME; READY is made once it does; sources go to LOG
probe.py ask PORT KIND:ADDRESS=NAME… ask each (KIND: tcp or udp) and expect NAME, or nothing at all after `=`
probe.py spoof SOURCE TARGET COUNT   send UDP packets from an address that is not ours
"""

import os
import selectors
import socket
import struct
import sys

PATIENCE = 3.0  # seconds for an answer that must come
SILENCE = 0.5  # seconds for one that must not


def serve(name, port, ready, log):
    selector = selectors.DefaultSelector()
    tcp = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=64)
    udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    udp.bind(("::", port))
    selector.register(tcp, selectors.EVENT_READ)
    selector.register(udp, selectors.EVENT_READ)
    with open(log, "a", buffering=1, encoding="ascii") as sources:
        open(ready, "w", encoding="ascii").close()
        while True:
            for key, _ in selector.select():
                if key.fileobj is tcp:
                    connection, source = tcp.accept()
                    with connection:
                        connection.settimeout(PATIENCE)
                        connection.sendall(name.encode())
                else:
                    _, source = udp.recvfrom(2048)
                    udp.sendto(name.encode(), source)
                sources.write(source[0].removeprefix("::ffff:") + "\n")


def ask(kind, address, port, patience):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    if kind == "tcp":
        with socket.socket(family, socket.SOCK_STREAM) as connection:
            connection.settimeout(patience)
            connection.connect((address, port))
            answer = b""
            while part := connection.recv(2048):
                answer += part
            return answer.decode()
    with socket.socket(family, socket.SOCK_DGRAM) as connection:
        connection.settimeout(patience)
        connection.connect((address, port))
        connection.send(b"who are you?")
        return connection.recv(2048).decode()


def ask_all(port, questions):
    wrong = 0
    for question in questions:
        target, _, expected = question.partition("=")
        kind, _, address = target.partition(":")
        try:
            answer = ask(kind, address, port, PATIENCE if expected else SILENCE)
        except OSError as error:
            answer = "" if not expected else f"({error})"
        if answer != expected:
            print(f"{kind} {address}: expected {expected or 'no answer'}, got {answer or 'none'}", file=sys.stderr)
            wrong += 1
    return wrong


def spoof(source, target, count):
    payload = b"spoofed"
    udp = struct.pack("!HHHH", 8080, 8080, 8 + len(payload), 0) + payload
    # The kernel fills in length and checksum.
    header = struct.pack(
        "!BBHHHBBH4s4s", 0x45, 0, 0, 0, 0, 64, socket.IPPROTO_UDP, 0, socket.inet_aton(source), socket.inet_aton(target)
    )
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        for _ in range(count):
            raw.sendto(header + udp, (target, 0))


def main(arguments):
    match arguments:
        case ["serve", name, port, ready, log]:
            serve(name, int(port), ready, log)
        case ["ask", port, *questions]:
            return 1 if ask_all(int(port), questions) else 0
        case ["spoof", source, target, count]:
            spoof(source, target, int(count))
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        os._exit(0)
