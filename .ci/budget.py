#!/usr/bin/env python3
"""Budgets of size and speed: each is twice its goal, so that a clear regression fails and noise does not.

    python3 .ci/budget.py sizes BOOTSTRAP
    python3 .ci/budget.py speed RESULTS LOAD
    python3 .ci/budget.py ratios CRITERION_DIR WHOLE_TABLE

BOOTSTRAP: the program that ships. RESULTS: it beside a handler in Python, as `compare.py` writes them. LOAD: it with
eight invocations in flight and 50 ms upstream, as `lambda_bench.py` prints it. CRITERION_DIR: what `cargo bench --bench
normalize` has left behind, for lists of 1,000. WHOLE_TABLE: what `cargo bench --bench whole` has printed. The goals are
in docs/performance.md.
"""
import io
import json
import os
import statistics
import sys
import zipfile

TWICE = 2


def median_ns(criterion, *parts):
    """The median of a benchmark, in nanoseconds."""
    with open(os.path.join(criterion, "list of 1000", *parts, "new", "estimates.json")) as file:
        return json.load(file)["median"]["point_estimate"]


def zipped(path):
    """The bytes of a deployment package with only this program in it."""
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(path, "bootstrap")
    return len(package.getvalue())


def last_column(table):
    """The last column of the table of the whole program, by the first one."""
    with open(table) as file:
        rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in file if line.startswith("| ")]
    return {row[0]: float(row[-1]) for row in rows if row[-1].replace(".", "").isdigit()}


def sizes(bootstrap):
    """What is loaded at every cold start."""
    return [
        ("program, MB", os.path.getsize(bootstrap) / 1e6, 8),
        ("program zipped, MB", zipped(bootstrap) / 1e6, 3.5),
    ]


def speed(results, load):
    """What ships, beside a handler in Python that does less."""
    with open(results) as file:
        rounds = json.load(file)["raw"]
    with open(load) as file:
        a_second = json.load(file)["warm"]["per_s"]

    def median(scenario, target, part, of):
        return statistics.median(one[part][of] for one in rounds[scenario][target])

    def of_python(scenario, part, of):
        return median(scenario, "lambda", part, of) / median(scenario, "python", part, of)

    return [
        ("start to first answer over TLS, of Python's", of_python("alert_tls", "cold", "first_ms"), 1 / 40),
        # A list waits for nothing, and processor time hears less of what else a machine does.
        ("list of 1,000, of Python's", of_python("list1000", "warm", "cpu_ms"), 1 / 3),
        ("list of 5,000, of the list of 1,000",
         median("list5000", "lambda", "warm", "cpu_ms") / median("list1000", "lambda", "warm", "cpu_ms"), 5.5),
        ("eight in flight, of what 50 ms upstream leave room for", 160 / a_second, 1 / 0.9),
        ("memory of an alert over TLS, MB", median("alert_tls", "lambda", "warm", "rss_mb"), 9),
        ("memory of a list of 1,000, MB", median("list1000", "lambda", "warm", "rss_mb"), 18),
        ("memory of a list of 5,000, MB", median("list5000", "lambda", "warm", "rss_mb"), 45),
        ("log of an invocation, kB", median("alert_tls", "lambda", "warm", "log_bytes") / 1e3, 0.6),
    ]


def ratios(criterion, table):
    """What an answer costs, beside a constant and beside a Value."""
    whole = last_column(table)
    reference = median_ns(criterion, "reference_ Value parse and write")
    return [
        ("body to answer, of a Value round trip", median_ns(criterion, "body to answer") / reference, 1 / 2.5),
        ("all to OCSF, of all to JSON",
         median_ns(criterion, "render all as", "ocsf") / median_ns(criterion, "render all as", "json"), 3),
        ("start to first answer, of a constant's", whole["start until the first answer, ms"], 4.5),
        ("init, of a constant's", whole["start until the first `next`, ms"], 4.5),
        ("warm call, of a constant's", whole["warm call, p50, ms"], 2.8),
        ("processor time of a warm call, of a constant's", whole["processor time of a warm call, ms"], 2.2),
    ]


def main():
    measured = {"sizes": sizes, "speed": speed, "ratios": ratios}[sys.argv[1]](*sys.argv[2:])
    failed = 0
    for name, value, goal in measured:
        fits = value <= TWICE * goal
        failed += not fits
        print(f"{'ok  ' if fits else 'OVER'} {name}: {value:.2f} (goal {goal:.2f}, budget {TWICE * goal:.2f})")
    print(f"budget: {len(measured) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
