"""A server's use of azure-identity: prints a token for the scope that it is given."""

import sys

from azure.identity import DefaultAzureCredential

print(DefaultAzureCredential().get_token(sys.argv[1]).token, end="")
