"""A client of the Python SDK 2, which speaks 2026-07-28 where the server does and else falls back.

    python client.py URL call TOOL ARGUMENTS-AS-JSON EXPECTED

Its output is that of clients/python/client.py.
"""

import json
import sys
import traceback

import anyio
from mcp import Client

outcomes: list[bool] = []


def check(name: str, ok, detail: str = "") -> None:
    outcomes.append(bool(ok))
    print(json.dumps({"check": name, "ok": bool(ok), "detail": detail[:2000]}), flush=True)


async def main(url: str, _scenario: str, tool: str, args: str, expected: str) -> None:
    try:
        async with Client(url, mode="auto") as client:
            check("a revision is agreed upon", client.protocol_version, str(client.protocol_version))
            listed = [tool.name for tool in (await client.list_tools()).tools]
            check(f"tools/list has {tool}", tool in listed, str(listed))
            result = await client.call_tool(tool, json.loads(args))
            text = "\n".join(getattr(part, "text", "") for part in result.content)
            check(f"{tool} answers", not result.is_error and expected in text, text)
        check("every step was reached", True)
    except BaseException:
        check("the call runs to its end", False, traceback.format_exc())


if __name__ == "__main__":
    if len(sys.argv) != 6:
        sys.exit(f"usage: {sys.argv[0]} URL call TOOL ARGUMENTS-AS-JSON EXPECTED")
    anyio.run(main, *sys.argv[1:])
    sys.exit(0 if all(outcomes) else 1)
