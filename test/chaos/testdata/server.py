# The server of server_test.go in Python, with the tools by which it dies: forked, it dies in all those ways as well.
#
#   server.py PROGRAM     PROGRAM plays the roles of this suite
import json
import os
import signal
import sys
import time

hung = 0


def outlive():
    for s in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(s, signal.SIG_IGN)
    time.sleep(120)


def write(m):
    os.write(1, json.dumps({"jsonrpc": "2.0", **m}).encode() + b"\n")


def beget(kin, program, mark):
    r, w = os.pipe()
    if os.fork() == 0:
        os.dup2(w, 3)
        os.set_inheritable(3, True)  # even if it is w
        if kin == "escaped":
            os.setsid()
        os.execv(program, [program, "stubborn" if kin == "stubborn" else "fork", mark])
    os.close(w)
    os.read(r, 1)
    os.close(r)


def call(m, tool, n=0, kin="", **others):
    global hung
    text = tool
    if tool == "who":
        text = json.dumps({"PID": os.getpid(), "Parent": os.getppid(), "Mark": os.environ["MCPFUNC_CHILD"]})
    elif tool == "beget":
        for _ in range(n):
            beget(kin, sys.argv[1], os.environ["MCPFUNC_CHILD"])
    elif tool == "hang":
        hung += 1
        return
    elif tool == "hung":
        text = str(hung)
    elif tool == "exit":
        os._exit(n)
    elif tool == "half":
        os.write(1, b'{"jsonrpc":"2.0","id":%d,"result":{"content":[{"type":"te' % m["id"])
        os._exit(1)
    elif tool == "eat":
        bytearray(b"x") * (n << 20)
        os.kill(os.getpid(), signal.SIGKILL)
    elif tool == "close stdin":
        os.close(0)
    elif tool == "close stdout":
        os.close(1)
        return
    elif tool == "ignore":
        for s in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(s, signal.SIG_IGN)
    write({"id": m["id"], "result": {"content": [{"type": "text", "text": text}]}})
    if tool == "ignore":
        sys.stdin.read()
        outlive()


def serve():
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps what is begotten
    while True:
        try:
            line = sys.stdin.readline()
        except OSError:
            return outlive()  # stdin was closed by a tool; the server is there and hears nothing
        if not line:
            return
        m = json.loads(line)
        if m["method"] == "initialize":
            write({"id": m["id"], "result": {
                "protocolVersion": m["params"]["protocolVersion"], "capabilities": {"tools": {}},
                "serverInfo": {"name": "chaos", "version": "1"},
            }})
        elif m["method"] == "tools/call":
            call(m, m["params"]["name"], **m["params"].get("arguments", {}))
        elif "id" in m:
            write({"id": m["id"], "result": {}})


if __name__ == "__main__":
    serve()
