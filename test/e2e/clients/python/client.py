"""A client of the Python SDK that plays one scenario against one MCP endpoint.

    python client.py URL SCENARIO [ARG...]

It prints a JSON line a check ({"check", "ok", "detail"}) and exits 0 only if every one passed. The
scenarios are those of clients/typescript/client.mjs, step for step.
"""

import json
import sys
import time
import traceback
from contextlib import asynccontextmanager

import anyio
import httpx
from mcp import ClientSession, types
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import McpError

WAIT = 20  # seconds, for anything that a server announces by itself
URI = "demo://resource/dynamic/text/1"

outcomes: list[bool] = []


def check(name: str, ok, detail=None) -> None:
    outcomes.append(bool(ok))
    line = {"check": name, "ok": bool(ok)}
    if detail is not None:
        line["detail"] = (detail if isinstance(detail, str) else json.dumps(detail, default=str))[:2000]
    print(json.dumps(line), flush=True)


class Peer:
    """A connected client that records what the server sends and answers what the server asks."""

    def __init__(self, roots):
        self.roots = roots or [types.Root(uri="file:///srv/first", name="first root")]
        self.logs: list[types.LoggingMessageNotificationParams] = []
        self.updates: list[str] = []
        self.sampled: list[types.CreateMessageRequestParams] = []
        self.elicited: list[types.ElicitRequestParams] = []
        self.errors: list[Exception] = []
        self.session: ClientSession
        self.info: types.InitializeResult
        self.session_id = lambda: None

    @property
    def id(self):
        return self.session_id()

    async def sample(self, _ctx, params):
        self.sampled.append(params)
        return types.CreateMessageResult(
            role="assistant", model="e2e-model", stopReason="endTurn", content=types.TextContent(type="text", text="because")
        )

    async def elicit(self, _ctx, params):
        self.elicited.append(params)
        return types.ElicitResult(action="accept", content={"name": "Ada", "check": True, "integer": 7})

    async def list_roots(self, _ctx):
        return types.ListRootsResult(roots=self.roots)

    async def log(self, params):
        self.logs.append(params)

    async def message(self, message):
        if isinstance(message, Exception):
            self.errors.append(message)
        elif isinstance(message, types.ServerNotification) and isinstance(message.root, types.ResourceUpdatedNotification):
            self.updates.append(str(message.root.params.uri))

    async def call(self, name, args=None, progress=None) -> str:
        result = await self.session.call_tool(name, args or {}, progress_callback=progress)
        if result.isError:
            raise RuntimeError(f"{name}: {result.content}")
        return "\n".join(getattr(part, "text", "") for part in result.content)

    async def has(self, name) -> bool:
        return any(tool.name == name for tool in (await self.session.list_tools()).tools)


@asynccontextmanager
async def connect(url, roots=None):
    """A session that ends with DELETE."""
    peer = Peer(roots)
    async with streamable_http_client(url) as (read, write, session_id):
        async with ClientSession(
            read,
            write,
            sampling_callback=peer.sample,
            elicitation_callback=peer.elicit,
            list_roots_callback=peer.list_roots,
            logging_callback=peer.log,
            message_handler=peer.message,
            client_info=types.Implementation(name="mcpfunc-e2e-python", version="1"),
        ) as session:
            peer.session, peer.session_id = session, session_id
            peer.info = await session.initialize()
            yield peer
            check("nothing came that the client could not place", not peer.errors, peer.errors)


async def until(what, condition):
    deadline = time.monotonic() + WAIT
    while True:
        if value := await condition():
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: nothing after {WAIT} s")
        await anyio.sleep(0.05)


async def basics(url):
    async with connect(url) as peer:
        check("the server names itself", peer.info.serverInfo.name, peer.info.serverInfo.name)
        check("there is a session id", peer.id, peer.id)
        check("tools/list has echo", await peer.has("echo"))
        text = 'grüße, 世界 \U0001f600 \u2028 "quoted"'
        echoed = await peer.call("echo", {"message": text})
        check("tools/call echoes the text", echoed == f"Echo: {text}", echoed)
        await peer.session.send_ping()
        check("ping is answered", True)


async def concurrent(url):
    async with connect(url) as peer:
        got = {}

        async def one(i):
            got[i] = await peer.call("echo", {"message": f"message {i}"})

        async with anyio.create_task_group() as group:
            for i in range(20):
                group.start_soon(one, i)
        check("20 calls in flight each get their own answer", all(got[i] == f"Echo: message {i}" for i in range(20)), got)


async def progress(url):
    async with connect(url) as peer:
        seen = []

        async def note(done, total, _message):
            seen.append([done, total])

        text = await peer.call("trigger-long-running-operation", {"duration": 1, "steps": 5}, note)
        check("five notifications arrive in order before the answer", seen == [[i, 5] for i in range(1, 6)], seen)
        check("the answer follows", "completed" in text, text)


async def cancellation(url):
    async with connect(url) as peer:
        session = peer.session
        begun = anyio.Event()
        ended = {}

        async def note(*_):
            begun.set()

        async def run():
            try:
                await peer.call("trigger-long-running-operation", {"duration": 30, "steps": 60}, note)
            except McpError as error:
                ended["error"] = repr(error)
            except anyio.get_cancelled_exc_class() as error:
                ended["error"] = repr(error)
                raise

        started = time.monotonic()
        async with anyio.create_task_group() as group:
            # The SDK numbers its requests from 0; the next one is the call's.
            number = session._request_id
            group.start_soon(run)
            await begun.wait()
            await session.send_notification(
                types.ClientNotification(
                    types.CancelledNotification(params=types.CancelledNotificationParams(requestId=number, reason="enough"))
                )
            )
            group.cancel_scope.cancel()
        check("a cancelled call ends at once", "error" in ended and time.monotonic() - started < 10, ended)
        echoed = await peer.call("echo", {"message": "still here"})
        check("the session goes on", echoed == "Echo: still here", echoed)
        if await peer.has("cancelled-operations"):

            async def count():
                return int(await peer.call("cancelled-operations"))

            seen = await until("cancelled-operations", count)
            check("the server saw the cancellation", seen == 1, str(seen))
        peer.errors.clear()  # a server may still answer what was cancelled, and the SDK has forgotten the request


async def sampling(url):
    async with connect(url) as peer:
        text = await peer.call("trigger-sampling-request", {"prompt": "why is that so?", "maxTokens": 7})
        asked = [params.model_dump_json() for params in peer.sampled]
        check("the client was asked once, with the prompt", len(asked) == 1 and "why is that so?" in asked[0], asked)
        check("the limit came through", peer.sampled[0].maxTokens == 7, asked)
        check("its answer reached the server", "because" in text and "e2e-model" in text, text)


async def elicitation(url):
    async with connect(url) as peer:
        text = await peer.call("trigger-elicitation-request")
        asked = [params.model_dump_json() for params in peer.elicited]
        check("the client was asked once, with a schema", len(asked) == 1 and '"name"' in asked[0], asked)
        check("its answer reached the server", "Name: Ada" in text and "Favorite Integer: 7" in text, text)


async def roots(url):
    async with connect(url) as peer:
        first = await peer.call("get-roots-list")
        check("the server lists the client's root", "file:///srv/first" in first and "first root" in first, first)
        peer.roots = [*peer.roots, types.Root(uri="file:///srv/second", name="second root")]
        await peer.session.send_roots_list_changed()

        async def changed():
            text = await peer.call("get-roots-list")
            return text if "file:///srv/second" in text else None

        second = await until("roots/list_changed", changed)
        check("it asks again when they change", "file:///srv/first" in second, second)


async def logging(url):
    async with connect(url) as peer:

        def told(word):
            return sum(word in str(params.data) for params in peer.logs)

        async def subscribed():
            return told("Received Subscribe")

        await peer.session.set_logging_level("debug")
        await peer.session.subscribe_resource(URI)
        await until("a log message", subscribed)
        check("a message at the level arrives once", told("Received Subscribe") == 1, peer.logs)
        await peer.session.set_logging_level("emergency")
        await peer.session.unsubscribe_resource(URI)
        await peer.call("echo", {"message": "after"})
        await anyio.sleep(0.3)
        check("one below the level does not", told("Received Unsubscribe") == 0, peer.logs)


async def subscription(url):
    async with connect(url) as peer:
        await peer.session.subscribe_resource(URI)
        await peer.call("toggle-subscriber-updates")

        async def updated():
            return peer.updates

        await until("resources/updated", updated)
        check("an update names the resource", set(peer.updates) == {URI}, peer.updates)
        read = await peer.session.read_resource(URI)
        check("the resource can be read", str(read.contents[0].uri) == URI and read.contents[0].text, read.contents)
        await peer.session.unsubscribe_resource(URI)
        await peer.call("toggle-subscriber-updates")


async def isolation(url):
    async with connect(url, [types.Root(uri="file:///home/b", name="b")]) as b:
        async with connect(url, [types.Root(uri="file:///home/a", name="a")]) as a:
            check("two clients have two session ids", a.id and b.id and a.id != b.id, [a.id, b.id])
            of_a, of_b = await a.call("get-roots-list"), await b.call("get-roots-list")
            own = "/home/a" in of_a and "/home/b" not in of_a and "/home/b" in of_b and "/home/a" not in of_b
            check("each sees its own roots only", own, [of_a, of_b])
            if await a.has("pid"):
                pids = [await a.call("pid"), await b.call("pid")]
                check("each has its own process", pids[0] != pids[1], pids)
            ended = a.id
        async with httpx.AsyncClient() as http:
            headers = {
                "accept": "application/json, text/event-stream",
                "mcp-session-id": ended,
                "mcp-protocol-version": "2025-06-18",
            }
            answer = await http.post(url, json={"jsonrpc": "2.0", "id": 1, "method": "ping"}, headers=headers)
        check("an ended session is 404", answer.status_code == 404, f"HTTP {answer.status_code}: {answer.text}")
        echoed = await b.call("echo", {"message": "untouched"})
        check("its end does not touch the other", echoed == "Echo: untouched", echoed)


async def big(url):
    async with connect(url) as peer:
        unit = "0123456789 äöü 漢字 \U0001f600\n"
        message = unit * ((3 << 20) // len(unit.encode()))
        echoed = await peer.call("echo", {"message": message})
        check("3 MiB come back byte for byte", echoed == f"Echo: {message}", f"{len(echoed)} characters of {len(message) + 6}")


async def call(url, tool, args, expected):
    async with connect(url) as peer:
        check("the server names itself", peer.info.serverInfo.name, peer.info.serverInfo.name)
        check(f"tools/list has {tool}", await peer.has(tool))
        text = await peer.call(tool, json.loads(args))
        check(f"{tool} answers", expected in text, text)


SCENARIOS = {
    f.__name__: f
    for f in (basics, concurrent, progress, cancellation, sampling, elicitation, roots, logging, subscription, isolation, big, call)
}


async def main(url, name, *args):
    try:
        await SCENARIOS[name](url, *args)
        check("every step was reached", outcomes)
    except BaseException:
        check(f"{name} runs to its end", False, traceback.format_exc())


if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[2] not in SCENARIOS:
        sys.exit(f"usage: client.py URL {'|'.join(SCENARIOS)} [ARG...]")
    anyio.run(main, *sys.argv[1:])
    sys.exit(0 if all(outcomes) else 1)
