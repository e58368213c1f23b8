"""The official client of the Model Context Protocol, in its own environment: asks a server, and prints JSON.

Usage: python mcp_client.py URL TOKEN TEXT
"""

import asyncio
import json
import sys

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client


async def main(url: str, token: str, text: str) -> None:
    """List the tools, and call each; the client checks the answers against the tools' schemas."""
    async with (
        httpx2.AsyncClient(headers={"authorization": f"Bearer {token}"}) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
    ):
        tools = await client.list_tools()
        understood = await client.call_tool("understand", {"text": text})
        models = await client.call_tool("list_models", {})
        wrong = await client.call_tool("understand", {"text": "a" * 20_000})
        await client.send_ping()
    print(
        json.dumps(
            {
                "tools": [tool.name for tool in tools.tools],
                "understood": understood.structured_content,
                "models": models.structured_content,
                "wrong": [wrong.is_error, wrong.content[0].text],
            }
        )
    )


asyncio.run(main(*sys.argv[1:]))
