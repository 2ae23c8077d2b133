#!/usr/bin/env python3
"""Official clients of the Model Context Protocol, and its conformance suite, against the demonstration.

    python3 .ci/mcp_check.py PROGRAM RUST_CLIENT [SUITE]

PROGRAM: `defender-enrich`. The Python client here and RUST_CLIENT (`.ci/mcp_client`) list the tools and look up a subject of
each kind, over HTTP and over standard input and output, in each generation of the protocol. The example of
`docs/integrations/mcp.md` runs. SUITE: a folder with the npm packages `@modelcontextprotocol/conformance` and `node`.
Prints `mcp: N passed, M failed` last, and exits 1 if any failed.
"""
import asyncio
import http.client
import json
import re
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote_plus

import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

KEY = "demo-key"
MODES = ("legacy", "2026-07-28", "auto")
PAGE = Path(__file__).resolve().parent.parent / "docs/integrations/mcp.md"
PAGE_ADDRESS = "http://127.0.0.1:9000"
# The revisions of the protocol whose requirements the suite holds, and where a server cannot meet them: the suite asks for what
# its own example server has. Each reason covers the checks whose names begin so; one that covers nothing is a fault.
REVISIONS = ("2025-11-25", "2026-07-28")
NOT_OFFERED = {
    "no prompts": ("prompts-", "sep-2549-prompts-", "sep-2322-non-tool-"),
    "no resources": ("resources-", "sep-2549-resources-"),
    "no completion": ("completion-",),
    "no logging to the client": ("logging-", "tools-call-with-logging", "sep-2575-server-no-log-"),
    "no tool of the suite's example server": ("tools-call-", "json-schema-2020-12-tool-found"),
    "no tool that asks the client back": (
        "elicitation-", "sep-2322-", "sep-2575-server-rejects-undeclared-capability", "sep-2575-missing-capability-",
        "sep-2575-http-server-no-independent-requests-",
    ),
    "no argument that travels in a header": ("sep-2243-server-",),
    "no tasks": ("tasks-", "sep-2663-"),
    "no web page, not even of the same address, unless MCP_ORIGINS names it": ("localhost-host-valid-accepted",),
}


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


def check_rust(score, client, program, address, subjects):
    """The lines of the Rust client count like our own."""
    subjects = [f"{field}={value}" for field, value in subjects]
    done = subprocess.run([client, program, address, KEY, *subjects], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=300)
    for line in done.stdout.splitlines():
        outcome, _, name = line.partition(" ")
        score.note(f"Rust, {name.strip()}", outcome != "ok" and "see above")
    score.note("Rust: it ended well", done.returncode and done.stderr[-500:])


class Proxy(ThreadingHTTPServer):
    def handle_error(self, *_):
        """The suite closes connections without reading all of them."""


class WithKey(BaseHTTPRequestHandler):
    """Passes requests on to the demonstration with its key, which the suite has no option for."""
    protocol_version = "HTTP/1.1"

    def pass_on(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        connection = http.client.HTTPConnection(*self.server.target)
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in (*self.headers.items(), ("x-api-key", KEY)):
            connection.putheader(name, value)
        connection.endheaders(body)
        response = connection.getresponse()
        body = response.read()
        self.send_response_only(response.status)
        for name, value in response.getheaders():
            if name.lower() not in ("content-length", "transfer-encoding"):
                self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        connection.close()

    do_GET = do_POST = do_DELETE = do_OPTIONS = pass_on

    def log_message(self, *_):
        pass


def check_conformance(score, suite, proxy):
    """What each revision requires; the suite writes a file with its checks for each scenario."""
    command = [suite / "node_modules/.bin/node", suite / "node_modules/.bin/conformance", "server", "--url", f"http://127.0.0.1:{proxy.server_port}/mcp"]
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    covered = set()
    for revision in REVISIONS:
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([*command, "--requirements", revision, "--output-dir", folder], stdout=subprocess.DEVNULL, check=False, timeout=600)
            results = [check for file in sorted(Path(folder).glob("*/checks.json")) for check in json.loads(file.read_text())]
        for result in results:
            reasons = [reason for reason, beginnings in NOT_OFFERED.items() if result["id"].startswith(beginnings)]
            if result["status"] == "FAILURE" and reasons:
                covered.update(reasons)
            elif result["status"] in ("SUCCESS", "FAILURE"):
                score.note(f"conformance, {revision}: {result['id']}", result["status"] == "FAILURE" and result.get("errorMessage", result.get("details")))
        score.note(f"conformance, {revision}: the suite ran", not results)
    score.note("conformance: the reasons for what is not offered", covered != set(NOT_OFFERED) and set(NOT_OFFERED) - covered)


def check_page(score, address):
    """Runs the page's Python example as pasted, but for the address."""
    example = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.S).group(1).replace(PAGE_ADDRESS, address)
    done = subprocess.run([sys.executable, "-c", example], capture_output=True, text=True, timeout=60)
    fault = done.returncode or "desk-042" not in done.stdout
    score.note("the example of the page", fault and f"{done.stdout} {done.stderr[-500:]}")


def main():
    program, client = (str(Path(path).resolve()) for path in sys.argv[1:3])
    proxy = Proxy(("127.0.0.1", 0), WithKey)
    server = subprocess.Popen([program, "serve", "--demo", "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        address = server.stdout.readline().split()[-1]
        host, port = address.removeprefix("http://").split(":")
        proxy.target = (host, int(port))
        subjects = {}
        for line in server.stdout:
            given = re.search(r"/v1/enrich\?(\w+)=([^'&]+)'", line)
            if given:
                subjects.setdefault(given[1], unquote_plus(given[2]))
            if line.startswith("Ctrl-C"):
                break
        subjects = list(subjects.items())
        score = Score()
        score.note("subjects of the demonstration", len(subjects) < 5 and subjects)
        asyncio.run(check(score, program, address, subjects))
        check_rust(score, client, program, address, subjects)
        check_page(score, address)
        for suite in sys.argv[3:]:
            check_conformance(score, Path(suite).resolve(), proxy)
    finally:
        server.terminate()
    print(f"mcp: {score.passed} passed, {score.failed} failed")
    return 1 if score.failed else 0


if __name__ == "__main__":
    sys.exit(main())
