"""Connects in one era and calls echo once.

    python era.py URL legacy|auto|VERSION

Prints one JSON object: the version that was agreed upon and the answer, or the error.
"""

import json
import sys

import anyio
from mcp import Client


def root(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def main(url: str, mode: str) -> None:
    try:
        async with Client(url, mode=mode) as client:
            result = await client.call_tool("echo", {"message": "hello"})
            text = "".join(getattr(part, "text", "") for part in result.content)
            print(json.dumps({"version": client.protocol_version, "answer": text}))
    except Exception as error:
        print(json.dumps({"error": repr(root(error))}))


if __name__ == "__main__":
    anyio.run(main, *sys.argv[1:])
