#!/usr/bin/env python3
"""What other people's generators and linters make of schemas/: clients of them read every answer of the demonstration.

    python3 .ci/clients_check.py PROGRAM WORK TOOL...

PROGRAM: `defender-enrich`. WORK: a folder in which programs and clients are kept. TOOL: python, or for all that need npm, Java
and Cargo: lint, typescript, fetch, rust. Prints `clients: N passed, M failed` last, and exits 1 if any failed.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HERE, SCHEMAS = ROOT / ".ci/clients", ROOT / "schemas"
DOCUMENTS = [SCHEMAS / "openapi.json", SCHEMAS / "openapi-flat.json"]
FORMATS = ("json", "ocsf", "ecs", "slack", "teams")
QUIET = os.environ | {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}


class Run:
    """Counts outcomes, and says those that are wrong."""

    def __init__(self, program, work):
        self.program, self.work = program, Path(work).resolve()
        self.passed = self.failed = 0

    def note(self, name, fault):
        self.passed, self.failed = self.passed + (not fault), self.failed + bool(fault)
        print(f"FAILED {name}: {fault}" if fault else f"ok     {name}")

    def command(self, name, *words, silent=None, **options):
        """Runs a program, which has to end well; `silent`: words that it must not say."""
        done = subprocess.run([str(word) for word in words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=QUIET, **options)
        said = silent is not None and re.search(silent, done.stdout)
        self.note(name, f"status {done.returncode}: {done.stdout[-3000:]}" if done.returncode or said else "")

    def lines(self, tool, *words, **options):
        """Runs a program of ours that says `ok NAME` or `FAILED NAME: why`."""
        done = subprocess.run([str(word) for word in words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)
        lines = [line for line in done.stdout.splitlines() if line.startswith(("ok ", "FAILED "))]
        wrong = [line for line in lines if not line.startswith("ok ")]
        for line in wrong:
            print(line)
        self.passed, self.failed = self.passed + len(lines) - len(wrong), self.failed + len(wrong)
        self.note(f"{tool}: {len(lines)} answers", done.stderr[-3000:] if done.returncode or not lines else "")


def fresh(folder):
    shutil.rmtree(folder, ignore_errors=True)
    return folder


def node(run):
    return run.work / "node/node_modules/.bin"


def python(run, origin, subjects):
    client = fresh(run.work / "python-client")
    generator = Path(sys.executable).with_name("openapi-python-client")
    run.command("openapi-python-client", generator, "generate", "--path", DOCUMENTS[0], "--output-path", client, "--meta", "none", "--overwrite",
                silent="Unable to|removal of", cwd=run.work)
    package = fresh(run.work / "python") / "defender_enrich_client"
    shutil.copytree(client, package)
    run.lines("python", sys.executable, HERE / "read_python.py", package.parent, origin, subjects)


def lint(run, _origin, _subjects):
    ruleset = run.work / "spectral.json"
    ruleset.write_text('{"extends": ["spectral:oas"]}')
    for document in DOCUMENTS:
        run.command(f"redocly lint {document.name}", node(run) / "redocly", "lint", "--extends=recommended-strict", document)
        run.command(f"spectral lint {document.name}", node(run) / "spectral", "lint", "--fail-severity=hint", "--ruleset", ruleset, document)
    run.lines("ajv", "node", HERE / "compile_schemas.cjs", run.work / "node", *sorted(SCHEMAS.glob("*.schema.json")))


COMPILE = ("--target", "es2022", "--module", "nodenext", "--moduleResolution", "nodenext", "--lib", "es2022,dom", "--skipLibCheck", "--types", "node")


def typescript(run, origin, subjects):
    home = run.work / "node"
    run.command("openapi-typescript", node(run) / "openapi-typescript", DOCUMENTS[0], "-o", home / "openapi.ts")
    shutil.copy(HERE / "read_typescript.mts", home)
    run.command("tsc of openapi-typescript", node(run) / "tsc", "--strict", "--noUncheckedIndexedAccess", *COMPILE, "read_typescript.mts", cwd=home)
    run.lines("typescript", "node", home / "read_typescript.mjs", origin, subjects)


def generator(run, name, output, *options):
    program = Path(sys.executable).with_name("openapi-generator-cli")
    run.command(f"openapi-generator {name}", program, "generate", "-i", DOCUMENTS[0], "-g", name, "-o", fresh(output), *options)


def fetch(run, origin, subjects):
    home = run.work / "node"
    generator(run, "typescript-fetch", home / "fetch", "--additional-properties=importFileExtension=.js")
    (home / "fetch/package.json").write_text('{"type": "module"}')
    shutil.copy(HERE / "read_fetch.mts", home)
    run.command("tsc of typescript-fetch", node(run) / "tsc", *COMPILE, "read_fetch.mts", cwd=home)
    run.lines("fetch", "node", home / "read_fetch.mjs", origin, subjects)


def ask(origin, path, body):
    request = urllib.request.Request(origin + path, json.dumps(body).encode(), {"X-Api-Key": "demo-key", "Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        return json.load(error)


def rust(run, origin, subjects):
    home = run.work / "rust"
    generator(run, "rust", home, "--additional-properties=packageName=defender_enrich_client")
    manifest = home / "Cargo.toml"
    # A workspace of its own, whatever stands around it; and nothing that needs a TLS library of the system.
    manifest.write_text(manifest.read_text().replace('default = ["native-tls"]', "default = []") + "\n[workspace]\n")
    (home / "src/bin").mkdir()
    shutil.copy(HERE / "read_rust.rs", home / "src/bin/read_rust.rs")
    asked = json.loads(Path(subjects).read_text())
    bodies = [(f"{kind} {field} {value}", ask(origin, "/v1/enrich", {field: value, "format": kind})) for field, value in asked for kind in FORMATS]
    bodies += [("batch", ask(origin, "/v1/enrich/batch", {"requests": [{field: value, "format": kind} for kind in FORMATS for field, value in asked[:5]]}))]
    bodies += [("problem", ask(origin, "/v1/enrich", {"alert_id": "a b"})), ("problem of a limit", ask(origin, "/v1/enrich", {"machine": "x", "limit": 0}))]
    file = run.work / "bodies.json"
    file.write_text(json.dumps(bodies))
    target = {"env": os.environ | {"CARGO_TARGET_DIR": str(run.work / "rust-target")}}
    run.lines("rust", "cargo", "run", "--quiet", "--manifest-path", manifest, "--bin", "read_rust", "--", file, **target)


def main():
    program, work, *tools = sys.argv[1:]
    run = Run(program, work)
    for backend in ("defender", "graph"):
        command = [program, "serve", "--demo", "--listen", "127.0.0.1:0"]
        environment = os.environ | {"DEFENDER_BACKEND": backend, "QUOTA_PER_MINUTE": "100000", "QUOTA_PER_HOUR": "1000000"}
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment) as service:
            try:
                origin = service.stdout.readline().split()[-1]
                subjects = run.work / "subjects.json"
                subjects.write_text(json.dumps(subjects_of(service.stdout)))
                for tool in tools:
                    if backend == "defender" or tool != "lint":
                        {"python": python, "lint": lint, "typescript": typescript, "fetch": fetch, "rust": rust}[tool](run, origin, subjects)
            finally:
                service.terminate()
    print(f"clients: {run.passed} passed, {run.failed} failed")
    return 1 if run.failed or not run.passed else 0


def subjects_of(guide):
    """What the demonstration proposes to ask about, from the lines that it prints."""
    found = []
    for line in guide:
        match = re.search(r"/v1/enrich\?([^'&]+)'", line)
        if match:
            found.append(urllib.parse.parse_qsl(match[1])[0])
        elif "the same, signed anew" in line or "hooks/" in line:
            break
    return found


if __name__ == "__main__":
    sys.exit(main())
