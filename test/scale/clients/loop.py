"""A client of the Python SDK that calls one tool over and over, in several sessions at once.

    python loop.py URL CALLS SESSIONS STEPS

STEPS is a JSON array of the calls that a session makes in turn: {"Tool", "Args", "Want"}. In Args and Want {n} is the
number of the round in its session, from 1. It prints one JSON line: {"calls", "failed", "begun", "errors"}. A session
that fails is reinitialized, as a host of this SDK would: "begun" counts that, and the call that failed counts as failed.
"""

import json
import sys
from datetime import timedelta

import anyio
from mcp import ClientSession, types
from mcp.client.streamable_http import streamable_http_client

url, calls, sessions, steps = sys.argv[1:]
steps = json.loads(steps)
total = {"calls": 0, "failed": 0, "begun": 0, "errors": []}


def note(error: BaseException) -> None:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    total["failed"] += 1
    if len(total["errors"]) < 5:
        total["errors"].append(repr(error)[:300])


async def call(session: ClientSession, made: int) -> None:
    total["calls"] += 1
    step, number = steps[made % len(steps)], str(made // len(steps) + 1)
    arguments = json.loads(step["Args"].replace("{n}", number))
    result = await session.call_tool(step["Tool"], arguments, read_timeout_seconds=timedelta(seconds=300))
    text = getattr(result.content[0], "text", "") if result.content else ""
    if result.isError or step["Want"].replace("{n}", number) not in text:
        raise RuntimeError(f"answered {result!r}"[:200])


async def loop(n: int) -> None:
    done = 0
    while done < n:
        try:
            async with streamable_http_client(url) as (read, write, _):
                info = types.Implementation(name="mcpfunc-scale-python", version="1")
                async with ClientSession(read, write, client_info=info) as session:
                    await session.initialize()
                    total["begun"] += 1
                    made = 0
                    while done < n:
                        done += 1
                        await call(session, made)
                        made += 1
        except Exception as error:
            note(error)


async def main() -> None:
    share = int(calls) // int(sessions)
    async with anyio.create_task_group() as group:
        for i in range(int(sessions)):
            group.start_soon(loop, share if i else int(calls) - share * (int(sessions) - 1))


anyio.run(main)
print(json.dumps(total), flush=True)
