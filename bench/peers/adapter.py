"""Serves the reference adapter without a Functions host: adapter.py PORT CONFIG.

Its one HTTP function takes and returns what Starlette does, so that uvicorn can call it directly.
What the Functions host and its Python worker cost on top is not in the figures.
"""

import contextlib
import logging
import os
import sys

import uvicorn
from azure.functions import AuthLevel
from azurefunctions.extensions.mcp_server import MCPFunctionApp
from fastapi import FastAPI

port, config = int(sys.argv[1]), sys.argv[2]
logging.disable(logging.CRITICAL)
with open(os.devnull, "w") as quiet, contextlib.redirect_stdout(quiet):
    app = MCPFunctionApp(config_file=config, auth_level=AuthLevel.ANONYMOUS)
(function,) = app.get_functions()
web = FastAPI()
web.add_api_route("/api/mcp", function.get_user_function(), methods=["GET", "POST"])
uvicorn.run(web, host="127.0.0.1", port=port, log_level="error", access_log=False)
