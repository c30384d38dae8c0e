"""A server whose SDK makes spans by itself (mcp 2.3)."""

import telemetry  # noqa: F401
from mcp.server.mcpserver import MCPServer

server = MCPServer("traced")


@server.tool()
def greet(name: str) -> str:
    """Greet somebody"""
    return f"hello {name}"


server.run("stdio")
