"""A server on the Python SDK with a database in its memory: insert(value) says how many rows there are then."""

import sqlite3

from mcp.server.fastmcp import FastMCP

server = FastMCP("sql")
database = sqlite3.connect(":memory:", check_same_thread=False)
database.execute("CREATE TABLE numbers (value INTEGER)")


@server.tool()
def insert(value: int) -> str:
    database.execute("INSERT INTO numbers VALUES (?)", (value,))
    return f"{database.execute('SELECT count(*) FROM numbers').fetchone()[0]} rows."


server.run()
