"""A client as LoadDensity's users have one: Python's socket, struct and ssl, and nothing of ldctl.

  client.py PORT TOKEN COMMAND-AS-JSON [CA]

Sends one framed request and prints every reply frame until the terminator or the end of the stream.
"""

import json
import socket
import ssl
import struct
import sys


def read_exactly(connection, count):
    received = b""
    while len(received) < count:
        piece = connection.recv(count - len(received))
        if not piece:
            return None
        received += piece
    return received


def main():
    port, token, command = int(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])
    connection = socket.create_connection(("127.0.0.1", port), timeout=10)
    if len(sys.argv) > 4:
        context = ssl.create_default_context(cafile=sys.argv[4])
        connection = context.wrap_socket(connection, server_hostname="localhost")
    envelope = {"command": command} if not token else {"token": token, "command": command}
    body = json.dumps(envelope).encode("utf-8")
    connection.sendall(struct.pack("!I", len(body)) + body)
    ended = False
    while header := read_exactly(connection, 4):
        line = read_exactly(connection, struct.unpack("!I", header)[0])
        if line == b"Return_Data_Over_JE\n":
            ended = True
            break
        sys.stdout.write(line.decode("utf-8"))
    # After the terminator the server closes, and says so under TLS too.
    if ended and connection.recv(1) != b"":
        sys.exit("bytes after the terminator")


main()
