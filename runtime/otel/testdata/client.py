"""A client whose SDK makes spans by itself: python client.py URL MODE"""

import sys

import anyio
import telemetry  # noqa: F401
from mcp import Client
from opentelemetry import trace


async def main(url: str, mode: str) -> None:
    async with Client(url, mode=mode) as client:
        with trace.get_tracer("test").start_as_current_span("the user's question") as span:
            result = await client.call_tool("greet", {"name": "Ada"})
            print(f"{span.get_span_context().trace_id:032x}", "".join(getattr(part, "text", "") for part in result.content))


anyio.run(main, *sys.argv[1:])
