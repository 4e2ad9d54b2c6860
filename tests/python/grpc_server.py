#!/usr/bin/env python3
"""A server of grpcio with reflection, for tests/it/engine_grpc.rs and tests/compare/grpc_calls.py.

  grpc_server.py DIRECTORY [CERTIFICATE KEY]

Compiles examples/greeter.proto into DIRECTORY (greeter.binpb, greeter_pb2.py, greeter_pb2_grpc.py), prints
its ports as JSON, and serves until its standard input ends. Needs grpcio, grpcio-tools and
grpcio-reflection.
"""

import collections
import concurrent.futures
import importlib
import json
import pathlib
import sys
import time

import grpc
from grpc_reflection.v1alpha import reflection
from grpc_tools import protoc

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "examples"


def compile_types(directory):
    """The modules of the service; also its set of types, in a file."""
    code = protoc.main([
        "protoc", f"-I{EXAMPLES}", "--include_imports", f"--descriptor_set_out={directory}/greeter.binpb",
        f"--python_out={directory}", f"--grpc_python_out={directory}", str(EXAMPLES / "greeter.proto")])  # fmt: skip
    if code != 0:
        sys.exit("grpc_server: protoc failed")
    sys.path.insert(0, str(directory))
    return importlib.import_module("greeter_pb2"), importlib.import_module("greeter_pb2_grpc")


def greeter(types, base, counts):
    class Greeter(base):
        def SayHello(self, request, context):
            counts["SayHello"] += 1
            counts["bytes"] += request.ByteSize()
            if request.name == "secret" and not dict(context.invocation_metadata()).get("authorization"):
                context.abort(grpc.StatusCode.PERMISSION_DENIED, "not you")
            if request.pause:
                time.sleep(request.pause)
            return types.HelloReply(message="hi " + request.name, count=request.count, data=request.data)

        def Many(self, request, context):
            counts["Many"] += 1
            for number in range(request.count):
                counts["sent"] += 1
                yield types.HelloReply(message=request.name, count=number)

        def Collect(self, requests, context):
            counts["Collect"] += 1
            names = [request.name for request in requests]
            counts["received"] += len(names)
            return types.HelloReply(message=" ".join(names), count=len(names))

        def Chat(self, requests, context):
            counts["Chat"] += 1
            for request in requests:
                counts["received"] += 1
                yield types.HelloReply(message="hi " + request.name, count=request.count)

    return Greeter()


def serve(directory, certificate=None, workers=16):
    """Starts it; returns the server, its ports, its counts and its types."""
    types, services = compile_types(directory)
    counts = collections.Counter()
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(workers))
    services.add_GreeterServicer_to_server(greeter(types, services.GreeterServicer, counts), server)
    names = (types.DESCRIPTOR.services_by_name["Greeter"].full_name, reflection.SERVICE_NAME)
    reflection.enable_server_reflection(names, server)
    ports = {"plain": server.add_insecure_port("127.0.0.1:0")}
    if certificate:
        chain, key = (pathlib.Path(path).read_bytes() for path in certificate)
        credentials = grpc.ssl_server_credentials([(key, chain)])
        ports["secure"] = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    return server, ports, counts, (types, services)


def main():
    directory, *certificate = sys.argv[1:]
    server, ports, _, _ = serve(directory, certificate or None)
    print(json.dumps(ports), flush=True)
    sys.stdin.read()
    server.stop(0)


if __name__ == "__main__":
    main()
