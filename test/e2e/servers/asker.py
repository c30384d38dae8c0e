"""A server on the Python SDK 2 whose tool asks for input. Only the process that asked can read what comes back.

With the variables ASKERS, a folder, and PROCESSES, no process asks before that many have something to ask: which
process takes a call is up to the app, so that a test cannot wait for it otherwise.
"""

import os
import pathlib
import signal
from typing import Annotated

import anyio
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.resolve import Elicit, Resolve
from pydantic import BaseModel

app = MCPServer("asker")


class Where(BaseModel):
    room: str


async def where() -> Elicit[Where]:
    if folder := os.environ.get("ASKERS"):
        pathlib.Path(folder, str(os.getpid())).touch()
        while len(os.listdir(folder)) < int(os.environ["PROCESSES"]):
            await anyio.sleep(0.02)
    return Elicit("Which room?", Where)


@app.tool()
def book(when: str, place: Annotated[Where, Resolve(where)]) -> str:
    return f"{when} in {place.room}, by {os.getpid()}"


@app.tool()
def crash() -> str:
    os.kill(os.getpid(), signal.SIGKILL)
    return "not reached"


if __name__ == "__main__":
    app.run()
