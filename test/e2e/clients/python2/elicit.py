"""Calls a tool that asks for input, many times at once, and answers.

    python elicit.py URL CALLS [crash]

The first calls come without the others, and these follow the first question: a server that keeps its questions
until it has several processes keeps only as many connections. With crash, the server's process is ended before the
answers. Prints one JSON object: the processes that answered, with how often each did, and what was raised instead,
with how often that was.
"""

import collections
import json
import sys

import anyio
from mcp.client.client import Client
from mcp.shared.exceptions import MCPError
from mcp_types import ElicitResult


FIRST = 40  # enough for several processes, and fewer than the connections of the client


async def main(url: str, calls: str, crash: str = "") -> None:
    processes: collections.Counter[str] = collections.Counter()
    failures: collections.Counter[str] = collections.Counter()
    settled = anyio.Event()  # a question came, or a call has ended

    async def answer(context, params) -> ElicitResult:
        settled.set()
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
        finally:
            settled.set()

    async with Client(url, mode="2026-07-28", elicitation_callback=answer) as client:
        async with anyio.create_task_group() as group:
            for i in range(int(calls)):
                if i == FIRST:
                    await settled.wait()
                group.start_soon(book, i)
    print(json.dumps({"processes": processes, "failures": failures}))


if __name__ == "__main__":
    anyio.run(main, *sys.argv[1:])
