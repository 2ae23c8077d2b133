#!/usr/bin/env python3
"""What Cargo.toml promises: that the lints are in force in each package, and which Rust is enough.

The Rust that is named has to be the one that the locked packages ask for, in Cargo.toml and in every sentence of the
documents. Then each promise is spoiled, which must be noticed: a check that cannot fail proves nothing. A line per
failed expectation, and last `manifest: N passed, M failed`.

    python3 manifest_check.py        (Python 3.11; asks cargo for the locked packages)
"""
import copy
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Documents that tell what to install; others may, and then have to tell the same. The change log is about its time.
TOLD_IN, HISTORY = ("README.md", "CONTRIBUTING.md"), "CHANGELOG.md"
RUST = re.compile(r"\bRust (\d+\.\d+(?:\.\d+)?)")
# What CONTRIBUTING.md says of the lints: these at least, each at one of these levels.
STRICT = {
    "rust": {"unsafe_code": ("forbid",), "missing_docs": ("warn", "deny"), "unreachable_pub": ("warn", "deny")},
    "clippy": {name: ("warn", "deny", "forbid") for name in
               ("all", "pedantic", "expect_used", "indexing_slicing", "print_stderr", "print_stdout", "unwrap_used")},
}


def version(text):
    """A version as numbers, so that 1.100 is above 1.94 and 1.94 is 1.94.0."""
    numbers = [int(part) for part in text.split(".")]
    return tuple(numbers + [0] * (3 - len(numbers)))


def lints(manifest):
    """(what is expected, whether it holds) of the tables of lints."""
    for tool, strict in STRICT.items():
        table = manifest["workspace"].get("lints", {}).get(tool, {})
        for name, levels in strict.items():
            level = table.get(name, "missing")
            level = level.get("level", "missing") if isinstance(level, dict) else level
            yield f"[workspace.lints.{tool}] {name} is {level}, expected {' or '.join(levels)}", level in levels


def inheritance(manifest):
    """(what is expected, whether it holds) of each package of the workspace."""
    for name, package in manifest["packages"].items():
        yield f"{name} takes the workspace's lints", package.get("lints") == {"workspace": True}
        yield f"{name} takes the workspace's rust-version", package["package"].get("rust-version") == {"workspace": True}


def toolchain(manifest, packages, documents):
    """(what is expected, whether it holds) of the Rust that is said to be enough."""
    said = manifest["workspace"]["package"].get("rust-version", "0")
    needing = max(packages, key=lambda package: version(package["rust_version"]))
    yield (f"rust-version is {said}, but {needing['name']} {needing['version']} asks for {needing['rust_version']}",
           version(said) == version(needing["rust_version"]))
    for name, text in documents.items():
        told = RUST.findall(text)
        if name in TOLD_IN:
            yield f"{name} tells which Rust is enough", bool(told)
        for one in told:
            yield f"{name} says Rust {one}, Cargo.toml {said}", version(one) == version(said)


def broken(manifest, packages, documents):
    """What does not hold."""
    found = [*lints(manifest), *inheritance(manifest), *toolchain(manifest, packages, documents)]
    return [text for text, holds in found if not holds], len(found)


def spoiled(manifest, packages, documents):
    """(how, manifest, packages, documents), each with one promise broken."""
    def without(*path):
        changed = copy.deepcopy(manifest)
        place = changed
        for key in path[:-1]:
            place = place.get(key, {})
        place.pop(path[-1], None)
        return changed

    def with_level(level):
        changed = copy.deepcopy(manifest)
        changed["workspace"].setdefault("lints", {}).setdefault("rust", {})["unsafe_code"] = level
        return changed

    def with_rust(text):
        changed = copy.deepcopy(manifest)
        changed["workspace"]["package"]["rust-version"] = text
        return changed

    yield "without [lints]", without("workspace", "lints"), packages, documents
    yield "without [lints.rust]", without("workspace", "lints", "rust"), packages, documents
    yield "without [lints.clippy]", without("workspace", "lints", "clippy"), packages, documents
    yield "with unsafe code denied only", with_level("deny"), packages, documents
    yield "with unsafe code denied in a table", with_level({"level": "deny", "priority": 1}), packages, documents
    yield "without rust-version", without("workspace", "package", "rust-version"), packages, documents
    yield "with an older Rust", with_rust("1.9"), packages, documents
    yield "with a member that has its own rules", {**manifest, "packages": {"new": {"package": {}}}}, packages, documents
    yield "with a package that asks for more", manifest, [*packages, {"name": "new", "version": "1.0.0", "rust_version": "1.1000"}], documents
    for name in TOLD_IN:
        yield f"without a Rust in {name}", manifest, packages, {**documents, name: ""}
        yield f"with another Rust in {name}", manifest, packages, {**documents, name: documents[name] + "\nRust 1.56 or newer.\n"}


def locked():
    """Every package of the lock file that says which Rust it asks for, but for the workspace's own."""
    done = subprocess.run(["cargo", "metadata", "--locked", "--all-features", "--format-version", "1"],
                          cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"cargo metadata: {done.stderr}")
    return [package for package in json.loads(done.stdout)["packages"] if package["source"] and package["rust_version"]]


def main():
    manifest = tomllib.loads((ROOT / "Cargo.toml").read_text())
    manifest["packages"] = {folder: tomllib.loads((ROOT / folder / "Cargo.toml").read_text())
                            for folder in [".", *manifest["workspace"]["members"]]}
    packages = locked()
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    documents = {str(page.relative_to(ROOT)): page.read_text() for page in pages if page.name != HISTORY}

    faults, expectations = broken(manifest, packages, documents)
    for how, *spoilt in spoiled(manifest, packages, documents):
        expectations += 1
        if not set(broken(*spoilt)[0]) - set(faults):
            faults.append(f"{how}: not noticed")
    for fault in faults:
        print(fault)
    print(f"manifest: {expectations - len(faults)} passed, {len(faults)} failed")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
