"""Calls a tool that asks for input, many times at once, and answers after a while. Before that it keeps
the server busy for as long, so that it gets more than one process.

    python elicit.py URL CALLS SECONDS [crash]

With crash, the server's process is ended before the answers. Prints one JSON object: the processes that
answered, with how often each did, and what was raised instead, with how often that was.
"""

import collections
import json
import sys

import anyio
from mcp.client.client import Client
from mcp.shared.exceptions import MCPError
from mcp_types import ElicitResult


async def main(url: str, calls: str, seconds: str, crash: str = "") -> None:
    processes: collections.Counter[str] = collections.Counter()
    failures: collections.Counter[str] = collections.Counter()

    async def answer(context, params) -> ElicitResult:
        await anyio.sleep(float(seconds))
        if crash:
            try:
                await client.call_tool("crash", {})
            except MCPError:
                pass
        return ElicitResult(action="accept", content={"room": "R1"})

    async def book(i: int) -> None:
        try:
            result = await client.call_tool("book", {"when": f"day {i}"})
            text = "".join(getattr(part, "text", "") for part in result.content)
            if result.is_error or not text.startswith(f"day {i} in R1, by "):
                failures[text] += 1
            else:
                processes[text.rpartition(" ")[2]] += 1
        except MCPError as error:
            reason = (error.data or {}).get("reason", "") if isinstance(error.data, dict) else ""
            failures[reason or str(error)] += 1

    async with Client(url, mode="2026-07-28", elicitation_callback=answer) as client:
        async with anyio.create_task_group() as group:
            for _ in range(min(int(calls), 40)):
                group.start_soon(client.call_tool, "nap", {"seconds": float(seconds)})
        async with anyio.create_task_group() as group:
            for i in range(int(calls)):
                group.start_soon(book, i)
    print(json.dumps({"processes": processes, "failures": failures}))


if __name__ == "__main__":
    anyio.run(main, *sys.argv[1:])
