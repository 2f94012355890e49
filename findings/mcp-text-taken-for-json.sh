#!/usr/bin/env bash
# A text for an MCP tool's `str | None` is read as JSON first: "null" arrives as None, and a JSON document is refused.
#
# Seen with mcp 2.3.0 (PyPI, MCPServer).
#
# Some clients send a list as the text of one, so that the server parses what comes as a text for a parameter that is
# not annotated as exactly `str`. A text that may be left out is annotated `str | None`. The tool's schema says "a string
# or null", and still: the text `null` becomes None, that of an object or a list is handed to pydantic as such and
# refused, "Input should be a valid string". Which texts are hit depends on their content: a payload, a template
# or a title that a model wrote passes until one happens to be JSON. What helps is `title: str = ""`, which is left alone,
# or an object where an object is meant.
#
# Output when written:
#   str: 'null', '{"a": 1}'; str | None: None, refused: Input should be a valid string; the schema: string or null
#
# Known: modelcontextprotocol/python-sdk#3055 (open) and #1873 (documents that are refused). Of the text `null`, which is
# lost without an error, nothing was found.

set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check mcp==2.3.0

"$work/venv/bin/python" - 2>"$work/log" <<'PYTHON' || { cat "$work/log"; exit 1; }
import asyncio

from mcp import Client
from mcp.server import MCPServer

server = MCPServer("tasks")


@server.tool()
def required(payload: str) -> str:
    return repr(payload)


@server.tool()
def optional(payload: str | None = None) -> str:
    return repr(payload)


async def outcome(client, tool, text):
    answer = await client.call_tool(tool, {"payload": text})
    told = answer.content[0].text
    if not answer.is_error:
        return told
    return "refused: " + next(line.strip() for line in told.splitlines() if "Input" in line).partition(" [")[0]


async def main():
    async with Client(server) as client:
        seen = {
            name: ", ".join([await outcome(client, tool, text) for text in ("null", '{"a": 1}')])
            for name, tool in {"str": "required", "str | None": "optional"}.items()
        }
        (listed,) = [tool for tool in (await client.list_tools()).tools if tool.name == "optional"]
    kinds = [kind["type"] for kind in listed.input_schema["properties"]["payload"]["anyOf"]]
    return "; ".join(f"{name}: {found}" for name, found in seen.items()) + f"; the schema: {' or '.join(kinds)}"


seen = asyncio.run(main())
expected = (
    """str: 'null', '{"a": 1}'; str | None: None, refused: Input should be a valid string; """
    "the schema: string or null"
)
assert seen == expected, seen
print(seen)
PYTHON
