"""A stdio MCP server on the Python SDK that asks its client for everything a server may ask.

It speaks the dialect of the npm server-everything (tool names, arguments, the telling parts of the
texts), so that one scenario runs against both, and adds two tools that only a test needs: `pid`, and
`cancelled-operations`, which says how many calls this process saw cancelled.
"""

import os
import signal

import anyio
from mcp.server.fastmcp import Context, FastMCP
from mcp.types import SamplingMessage, TextContent
from pydantic import BaseModel, Field

app = FastMCP("python-everything")
wire = app._mcp_server  # FastMCP has no public door to setLevel and subscriptions

LEVELS = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"]
level = "debug"
subscribed: set[str] = set()
cancelled = 0


async def log(session, severity: str, text: str) -> None:
    if LEVELS.index(severity) >= LEVELS.index(level):
        await session.send_log_message(severity, text)


@wire.set_logging_level()
async def set_level(wanted) -> None:
    global level
    level = wanted


@wire.subscribe_resource()
async def subscribe(uri) -> None:
    subscribed.add(str(uri))
    await log(wire.request_context.session, "info", f"Received Subscribe Resource request for URI: {uri}")


@wire.unsubscribe_resource()
async def unsubscribe(uri) -> None:
    subscribed.discard(str(uri))
    await log(wire.request_context.session, "info", f"Received Unsubscribe Resource request: {uri}")


@app.resource("demo://resource/dynamic/text/{number}", mime_type="text/plain")
def text_resource(number: str) -> str:
    return f"Resource {number}: a plain text"


@app.tool()
def echo(message: str) -> str:
    return f"Echo: {message}"


@app.tool()
def pid() -> str:
    return str(os.getpid())


@app.tool()
def start() -> str:
    """Tells the number of this process, and the command line by which it was started."""
    with open("/proc/self/cmdline", encoding="utf-8") as f:
        return f"{os.getpid()} {f.read()}"


@app.tool()
def crash() -> str:
    """Ends this process in the middle of a call, as a segmentation fault would."""
    os.kill(os.getpid(), signal.SIGKILL)
    return "unreachable"


@app.tool(name="trigger-long-running-operation")
async def long_running(ctx: Context, duration: float = 10, steps: int = 5) -> str:
    global cancelled
    try:
        for step in range(1, steps + 1):
            await anyio.sleep(duration / steps)
            await ctx.report_progress(step, steps)
    except anyio.get_cancelled_exc_class():
        cancelled += 1
        raise
    return f"Long running operation completed. Duration: {duration} seconds, Steps: {steps}."


@app.tool(name="cancelled-operations")
def cancelled_operations() -> str:
    return str(cancelled)


@app.tool(name="trigger-sampling-request")
async def sampling(ctx: Context, prompt: str, maxTokens: int = 100) -> str:
    result = await ctx.session.create_message(
        messages=[SamplingMessage(role="user", content=TextContent(type="text", text=prompt))],
        max_tokens=maxTokens,
        related_request_id=ctx.request_id,
    )
    return f"LLM sampling result: \n{result.model_dump_json()}"


class Person(BaseModel):
    name: str = Field(description="Your full, legal name")
    check: bool = False
    integer: int = 42


@app.tool(name="trigger-elicitation-request")
async def elicitation(ctx: Context) -> str:
    result = await ctx.elicit("Please provide inputs for the following fields:", Person)
    if result.action != "accept":
        return f"User answered: {result.action}"
    return f"- Name: {result.data.name}\n- Favorite Integer: {result.data.integer}"


@app.tool(name="get-roots-list")
async def roots(ctx: Context) -> str:
    result = await ctx.session.list_roots()
    return "\n".join(f"{root.name}\n   URI: {root.uri}" for root in result.roots)


@app.tool(name="toggle-subscriber-updates")
async def updates(ctx: Context) -> str:
    for uri in sorted(subscribed):
        await ctx.session.send_resource_updated(uri)
    return f"sent {len(subscribed)} update(s)"


if __name__ == "__main__":
    app.run()
