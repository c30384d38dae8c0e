"""A client of langchain-mcp-adapters, as agents are built with it, that plays one scenario.

    python client.py URL SCENARIO [ARG...]

It prints a JSON line a check ({"check", "ok", "detail"}) and exits 0 only if every one passed. The
scenarios are those of clients/typescript/client.mjs of the same names.
"""

import asyncio
import json
import sys
import time
import traceback
from contextlib import asynccontextmanager

from langchain_mcp_adapters.callbacks import Callbacks
from langchain_mcp_adapters.client import MultiServerMCPClient
from langchain_mcp_adapters.tools import load_mcp_tools

WAIT = 20  # seconds, for anything that a server announces by itself
URI = "demo://resource/dynamic/text/1"

outcomes: list[bool] = []


def check(name: str, ok, detail=None) -> None:
    outcomes.append(bool(ok))
    print(json.dumps({"check": name, "ok": bool(ok), "detail": str(detail)[:2000]}), flush=True)


class Peer:
    """A connected client: the session, its tools as LangChain has them, and what the server said."""

    def __init__(self):
        self.session = None
        self.tools = {}
        self.progress: list[list[float]] = []
        self.logs: list[str] = []

    async def on_progress(self, progress, total, message, context):
        self.progress.append([progress, total])

    async def on_log(self, params, context):
        self.logs.append(str(params.data))

    def told(self, word):
        return sum(word in text for text in self.logs)

    async def call(self, name, args=None) -> str:
        content = await self.tools[name].ainvoke(args or {})
        if isinstance(content, str):
            return content
        return "\n".join(part.get("text", "") for part in content)


@asynccontextmanager
async def connect(url):
    """A session that ends with DELETE."""
    peer = Peer()
    callbacks = Callbacks(on_progress=peer.on_progress, on_logging_message=peer.on_log)
    client = MultiServerMCPClient({"server": {"transport": "streamable_http", "url": url}}, callbacks=callbacks)
    async with client.session("server") as session:
        peer.session = session
        tools = await load_mcp_tools(session, callbacks=callbacks, server_name="server")
        peer.tools = {tool.name: tool for tool in tools}
        yield peer


async def until(what, condition):
    deadline = time.monotonic() + WAIT
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: nothing after {WAIT} s")
        await asyncio.sleep(0.05)


async def basics(url):
    async with connect(url) as peer:
        check("the tools have echo", "echo" in peer.tools, list(peer.tools))
        text = 'grüße, 世界 \U0001f600 \u2028 "quoted"'
        echoed = await peer.call("echo", {"message": text})
        check("echo echoes the text", echoed == f"Echo: {text}", echoed)
    # As agents do it that hold no session: the tools open one for each call.
    client = MultiServerMCPClient({"server": {"transport": "streamable_http", "url": url}})
    tools = {tool.name: tool for tool in await client.get_tools()}
    answers = await asyncio.gather(*(tools["echo"].ainvoke({"message": f"m{i}"}) for i in range(3)))
    check("calls in sessions of their own are answered", all(f"Echo: m{i}" in str(a) for i, a in enumerate(answers)), answers)


async def concurrent(url):
    async with connect(url) as peer:
        got = await asyncio.gather(*(peer.call("echo", {"message": f"message {i}"}) for i in range(20)))
        check("20 calls in flight each get their own answer", got == [f"Echo: message {i}" for i in range(20)], got)


async def progress(url):
    async with connect(url) as peer:
        text = await peer.call("trigger-long-running-operation", {"duration": 1, "steps": 5})
        check("the answer comes", "completed" in text, text)
        check("five notifications arrive in order before it", peer.progress == [[i, 5] for i in range(1, 6)], peer.progress)


async def logging(url):
    async with connect(url) as peer:
        await peer.session.set_logging_level("debug")
        await peer.session.subscribe_resource(URI)
        await until("a log message", lambda: peer.told("Received Subscribe"))
        check("a message at the level arrives once", peer.told("Received Subscribe") == 1, peer.logs)
        await peer.session.set_logging_level("emergency")
        await peer.session.unsubscribe_resource(URI)
        await peer.call("echo", {"message": "after"})
        await asyncio.sleep(0.3)
        check("one below the level does not", peer.told("Received Unsubscribe") == 0, peer.logs)


async def call(url, tool, args, expected):
    async with connect(url) as peer:
        check(f"the tools have {tool}", tool in peer.tools, list(peer.tools))
        text = await peer.call(tool, json.loads(args))
        check(f"{tool} answers", expected in text, text)


async def lists(url, count):
    client = MultiServerMCPClient({"server": {"transport": "streamable_http", "url": url}})
    got = [[tool.name for tool in await client.get_tools()] for _ in range(int(count))]
    check(f"{count} sessions list the same tools", got[0] and all(names == got[0] for names in got), got)


async def calls(url, count, tool, expected):
    client = MultiServerMCPClient({"server": {"transport": "streamable_http", "url": url}})
    tools = {tool.name: tool for tool in await client.get_tools()}
    got = [str(await tools[tool].ainvoke({})) for _ in range(int(count))]
    check(f"{count} sessions have processes of their own", len(set(got)) == int(count), got)
    check(f"{tool} answers", all(expected in text for text in got), got)


SCENARIOS = {f.__name__: f for f in (basics, concurrent, progress, logging, call, lists, calls)}


async def main(url, name, *args):
    try:
        await SCENARIOS[name](url, *args)
        check("every step was reached", True)
    except BaseException:
        check(f"{name} runs to its end", False, traceback.format_exc())


if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[2] not in SCENARIOS:
        sys.exit(f"usage: client.py URL {'|'.join(SCENARIOS)} [ARG...]")
    asyncio.run(main(*sys.argv[1:]))
    sys.exit(0 if all(outcomes) else 1)
