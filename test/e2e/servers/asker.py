"""A server on the Python SDK 2 whose tool asks for input. Only the process that asked can read what comes back."""

import os
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
    return Elicit("Which room?", Where)


@app.tool()
def book(when: str, place: Annotated[Where, Resolve(where)]) -> str:
    return f"{when} in {place.room}, by {os.getpid()}"


@app.tool()
async def nap(seconds: float) -> str:
    await anyio.sleep(seconds)
    return "slept"


@app.tool()
def crash() -> str:
    os.kill(os.getpid(), signal.SIGKILL)
    return "not reached"


if __name__ == "__main__":
    app.run()
