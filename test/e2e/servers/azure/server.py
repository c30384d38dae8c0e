"""main.go with the SDKs for Python."""

import os

from azure.identity import DefaultAzureCredential
from mcp.server.fastmcp import FastMCP

app = FastMCP("azure-python")
credential = DefaultAzureCredential()


@app.tool()
def token(scope: str) -> str:
    return credential.get_token(scope).token


@app.tool()
def environment(scope: str) -> str:
    return "\n".join(f"{name}={value}" for name, value in os.environ.items())


app.run()
