#!/usr/bin/env python3
"""The official Python client against the demonstration, over HTTP and over standard input and output.

    python3 .ci/mcp_check.py PROGRAM

PROGRAM: `defender-enrich`. It lists the tools and looks up a subject of each kind, in each generation of the protocol, and
runs the example of `docs/integrations/mcp.md`. Prints `mcp: N passed, M failed` last, and exits 1 if any failed.
"""
import asyncio
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote_plus

import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

KEY = "demo-key"
MODES = ("legacy", "2026-07-28", "auto")
PAGE = Path(__file__).resolve().parent.parent / "docs/integrations/mcp.md"
PAGE_ADDRESS = "http://127.0.0.1:9000"


class Score:
    def __init__(self):
        self.passed = self.failed = 0

    def note(self, name, fault):
        self.passed, self.failed = self.passed + (not fault), self.failed + bool(fault)
        print(f"FAILED {name}: {fault}" if fault else f"ok     {name}")


async def talk(score, name, client, subjects):
    """Everything that a model would do with the tools."""
    tools = [tool.name for tool in (await client.list_tools()).tools]
    score.note(f"{name}: tools", tools != ["defender_lookup", "defender_lookup_many"] and tools)
    for field, value in subjects:
        result = await client.call_tool("defender_lookup", {field: value})
        found = (result.structured_content or {}).get("found")
        score.note(f"{name}: {field}", (result.is_error or found is not True) and result)
    result = await client.call_tool("defender_lookup", {"alert_id": "a/b"})
    code = (result.structured_content or {}).get("code")
    score.note(f"{name}: a wrong id", (not result.is_error or code != "invalid_id") and result)
    # The demonstration's domains are below .example, which `value` does not take for a public top-level domain.
    values = [value for field, value in subjects if field != "domain"]
    result = await client.call_tool("defender_lookup_many", {"values": values})
    counts = (result.structured_content or {}).get("counts")
    score.note(f"{name}: several values", counts != {"requests": len(values), "ok": len(values), "failed": 0} and result)


async def check(score, program, address, subjects):
    for mode in MODES:
        async with httpx2.AsyncClient(headers={"X-Api-Key": KEY}) as http:
            transport = streamable_http_client(f"{address}/mcp", http_client=http)
            async with Client(transport, mode=mode) as client:
                await talk(score, f"HTTP, {mode}", client, subjects)
        async with Client(StdioServerParameters(command=program, args=["mcp", "--demo"]), mode=mode) as client:
            await talk(score, f"stdio, {mode}", client, subjects)


def check_page(score, address):
    """Runs the page's Python example as pasted, but for the address."""
    example = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.S).group(1).replace(PAGE_ADDRESS, address)
    done = subprocess.run([sys.executable, "-c", example], capture_output=True, text=True, timeout=60)
    fault = done.returncode or "desk-042" not in done.stdout
    score.note("the example of the page", fault and f"{done.stdout} {done.stderr[-500:]}")


def main():
    program = str(Path(sys.argv[1]).resolve())
    server = subprocess.Popen([program, "serve", "--demo", "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        address = server.stdout.readline().split()[-1]
        subjects = {}
        for line in server.stdout:
            given = re.search(r"/v1/enrich\?(\w+)=([^'&]+)'", line)
            if given:
                subjects.setdefault(given[1], unquote_plus(given[2]))
            if line.startswith("Ctrl-C"):
                break
        score = Score()
        score.note("subjects of the demonstration", len(subjects) < 5 and subjects)
        asyncio.run(check(score, program, address, list(subjects.items())))
        check_page(score, address)
    finally:
        server.terminate()
    print(f"mcp: {score.passed} passed, {score.failed} failed")
    return 1 if score.failed else 0


if __name__ == "__main__":
    sys.exit(main())
