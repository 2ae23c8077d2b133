#!/usr/bin/env python3
"""What one request needs at most: 96 MB beside the idle process, and an answer in time at a seventh of a processor.

    python3 .ci/memory_check.py PROGRAM [WORD]

PROGRAM: `defender-enrich`. It runs with an address space of 256 MB, against stand-ins on loopback that send the largest and the
oddest answers. Each case is asked twice: at full speed, and with the process stopped six sevenths of the time; but those of many
requests in a row, which fill the memory of answers. WORD: only cases whose name holds it. Prints `memory: N passed, M failed` last,
and exits 1 if any failed.
"""
import gzip
import http.client
import http.server
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time

MB = 1_000_000
ADDRESS_SPACE = 256 << 20
MOST_BESIDE_IDLE = 96 * MB
TIMEOUT_S = 10
# Beyond its own deadline a request is cut off after a tenth of a second; the rest is for a cycle of the stopping, and this machine.
LATE_S = 0.8
CYCLE_S = 0.07
TENANT = "25278a73-d7c4-4cd4-8f81-1ef8d4e85815"


def alert(number):
    """As Defender for Endpoint lists them: every member there, evidence empty."""
    return {
        "id": f"da{number:018}_1", "incidentId": number, "investigationId": None, "assignedTo": None, "severity": "Low", "status": "New",
        "classification": None, "determination": None, "investigationState": "UnsupportedAlertType", "detectionSource": "WindowsDefenderAtp",
        "detectorId": "7f1c3609-a3ff-40e2-995b-c01770161d68", "category": "Execution", "threatFamilyName": None, "title": "Something ran",
        "description": "It should not have run, and did so from a place that nothing should run from. " * 3,
        "alertCreationTime": "2026-11-03T08:15:42.036Z", "firstEventTime": "2026-11-03T08:14:00Z", "lastEventTime": "2026-11-03T08:14:30Z",
        "lastUpdateTime": "2026-11-03T08:20:00.7Z", "resolvedTime": None, "machineId": "362ded5edf49a09eff1a4645db892f3af1c2e2cd",
        "computerDnsName": "desk-042.contoso.com", "rbacGroupName": "A", "aadTenantId": TENANT, "threatName": None, "mitreTechniques": ["T1059"],
        "relatedUser": {"userName": "dana", "domainName": "CONTOSO"}, "loggedOnUsers": [{"accountName": "dana", "domainName": "CONTOSO"}],
        "comments": [], "evidence": [], "domains": [],
    }


def item(number):
    """An item of evidence, as an incident has them."""
    return {
        "entityType": "File", "evidenceCreationTime": "2026-11-03T08:15:42.036Z", "verdict": "Malicious", "remediationStatus": "Active",
        "sha1": f"{number:040x}", "sha256": f"{number:064x}", "fileName": f"update{number}.exe", "filePath": "C:\\Users\\dana\\AppData\\Local",
        "deviceId": "362ded5edf49a09eff1a4645db892f3af1c2e2cd", "detectionStatus": "Detected", "ipAddress": None, "url": None, "aadUserId": None,
    }


def graph_item(number):
    """The same through Microsoft Graph."""
    return {
        "@odata.type": "#microsoft.graph.security.fileEvidence", "createdDateTime": "2026-11-03T08:15:42.036Z", "verdict": "malicious",
        "remediationStatus": "active", "detectionStatus": "detected", "mdeDeviceId": "362ded5edf49a09eff1a4645db892f3af1c2e2cd",
        "fileDetails": {"sha1": f"{number:040x}", "sha256": f"{number:064x}", "fileName": f"update{number}.exe",
                        "filePath": "C:\\Users\\dana\\AppData\\Local", "fileSize": 4096},
    }


def graph_alert(name, size, dense):
    """An alert of about that many bytes: a long text, or much evidence."""
    rest = b'"evidence":[' + filled(size, lambda n: json.dumps(graph_item(n))) + b"]" if dense else b'"description":"' + b"x" * size + b'"'
    return b'{"id":"' + name.encode() + b'","severity":"low","status":"new",' + rest + b"}"


def filled(size, make, join=b","):
    """Pieces one after the other, about as many bytes as that."""
    pieces, length, number = [], 0, 0
    while length < size:
        piece = make(number).encode()
        pieces.append(piece)
        length += len(piece) + 1
        number += 1
    return join.join(pieces)


def listed(size):
    return b'{"value":[' + filled(size, lambda n: json.dumps(alert(n))) + b"]}"


def repeated(text, size):
    return b",".join([text] * (size // (len(text) + 1)))


def in_an_alert(member):
    return b'{"value":[{"id":"da1_1",' + member + b"}]}"


# What is sent for an account, by the word before the dash in its name.
BODIES = {
    "large": lambda: listed(4 * MB),
    "huge": lambda: listed(15 * MB),
    "usual": lambda: listed(1 * MB),
    "empty": lambda: b'{"value":[' + repeated(b"{}", 1 * MB) + b"]}",
    "empties": lambda: b'{"value":[' + repeated(b"{}", 15 * MB) + b"]}",
    "members": lambda: in_an_alert(filled(15 * MB, lambda n: f'"m{n}":1')),
    "items": lambda: in_an_alert(b'"evidence":[' + repeated(b"{}", 15 * MB) + b"]"),
    "evidence": lambda: in_an_alert(b'"evidence":[' + filled(15 * MB, lambda n: json.dumps(item(n))) + b"]"),
    "numbers": lambda: in_an_alert(b'"evidence":[' + repeated(b"1", 15 * MB) + b"]"),
    "techniques": lambda: in_an_alert(b'"mitreTechniques":[' + repeated(b"1", 15 * MB) + b"]"),
    "comments": lambda: in_an_alert(b'"comments":[' + repeated(b"{}", 15 * MB) + b"]"),
    "small": lambda: in_an_alert(b'"comments":[' + filled(500_000, lambda n: '{"comment":"a%d"}' % n) + b"]"),
    "escapes": lambda: in_an_alert(b'"evidence":[' + filled(200_000, lambda n: json.dumps({"fileName": "\n" * 1000})) + b"]"),
    "users": lambda: in_an_alert(b'"loggedOnUsers":[' + filled(200_000, lambda n: '{"accountName":"a%d","domainName":"C"}' % n) + b"]"),
    "deep": lambda: in_an_alert(b'"odd":{"a":[' + repeated(b"[[[]]]", 15 * MB) + b"]}"),
    "many": lambda: b'{"value":[' + filled(15 * MB, lambda n: '{"id":"a%d","comments":[{"comment":"x"},{"comment":"y"}]}' % n) + b"]}",
}
OK, TOO_LARGE = (200, None), (502, "upstream_too_large")
LATE = (504, "upstream_timeout")


def single(word, *allowed, **options):
    return f"one {word}" + "".join(f", {name}={value}" for name, value in options.items()), {"user": f"{word}-0", **options}, allowed


def batch(count, word, *allowed, **options):
    name = f"{count} × {word}" + "".join(f", {name}={value}" for name, value in options.items())
    return name, {"requests": [{"user": f"{word}-{n}", **options} for n in range(count)]}, allowed


def row(name):
    """As advanced hunting has them."""
    return {"AlertId": name, "Timestamp": "2026-11-03T08:14:00Z", "Title": "Something ran", "Severity": "Low", "AccountName": "dana"}


# What an alert is through Graph, by the word in the account's name: its bytes, and whether it is evidence.
GRAPH = {"texts": (600_000, False), "dense": (600_000, True)}


def filling(requests, word):
    """Batches in a row that are more than is remembered."""
    batches = [{"requests": [{"user": f"{word}-{n * 25 + m}"} for m in range(25)]} for n in range(requests)]
    return f"{requests} × 25 × {word} in a row", batches, (OK, TOO_LARGE)


# Each case: its name, its body, and the outcomes that an item may have at full speed. Stopped most of the time, it may be late besides.
CASES = [
    batch(25, "usual", OK), batch(25, "large", OK), batch(8, "huge", OK, LATE), batch(25, "large", OK, limit=500, include="raw"),
    single("huge", OK), single("huge", OK, include="raw", limit=500), single("huge", OK, include="raw", limit=500, format="ocsf"),
    single("pages", OK), single("empty", TOO_LARGE), single("empties", TOO_LARGE), single("members", TOO_LARGE), single("items", TOO_LARGE),
    single("evidence", OK, TOO_LARGE), single("evidence", OK, TOO_LARGE, include="raw", format="ecs"), single("numbers", OK, TOO_LARGE),
    single("techniques", OK, TOO_LARGE), single("comments", OK, TOO_LARGE), single("deep", OK, TOO_LARGE), single("many", OK, TOO_LARGE),
    batch(25, "empty", TOO_LARGE), batch(25, "evidence", OK, TOO_LARGE, LATE), batch(25, "comments", OK, TOO_LARGE, LATE),
    single("zipped", OK), batch(8, "zipped", OK, LATE), single("texts", OK), single("dense", OK), batch(4, "texts", OK, LATE),
    ("24 × small and a huge", {"requests": [{"user": f"small-{n}"} for n in range(24)] + [{"user": "huge-0"}]}, (OK,)),
    filling(8, "small"), filling(12, "escapes"), filling(12, "users"),
]


class StandIn(http.server.BaseHTTPRequestHandler):
    """Secrets Manager, Entra and Defender at one address."""

    protocol_version = "HTTP/1.1"
    bodies = {}

    def do_GET(self):
        account = self.path.removeprefix("/api/users/").partition("/")[0]
        word = account.partition("-")[0]
        if word == "pages":
            page = f"http://{self.headers['host']}/api/users/pages-0/alerts"
            body = listed(2 * MB)[:-1] + f',"@odata.nextLink":"{page}"}}'.encode()
            self.bodies.setdefault(word, body)
        self.answer(self.bodies.get(word, b"{}"), word == "zipped")

    def do_POST(self):
        sent = self.rfile.read(int(self.headers["content-length"]))
        if self.path.endswith("/runHuntingQuery"):
            word = next(word for word in GRAPH if f"{word}-".encode() in sent)
            self.answer(json.dumps({"results": [row(f"{word}{n}_1") for n in range(100)]}).encode())
        elif self.path.endswith("/$batch"):
            names = [request["url"].rpartition("/")[2] for request in json.loads(sent)["requests"]]
            items = (b'{"id":"%d","status":200,"body":%s}' % (at, self.alert(name)) for at, name in enumerate(names))
            self.answer(b'{"responses":[' + b",".join(items) + b"]}")
        elif "x-amz-target" in self.headers:
            secret = json.dumps({"tenant_id": TENANT, "client_id": "c995191e-ab0d-41ff-95fd-921e07823508", "client_secret": "invented"})
            self.answer(json.dumps({"ARN": "arn:aws:secretsmanager:eu-central-1:111122223333:secret:d", "Name": "d", "SecretString": secret}).encode())
        else:
            self.answer(json.dumps({"token_type": "Bearer", "expires_in": 3599, "access_token": "invented"}).encode())

    def alert(self, name):
        word = next(word for word in GRAPH if name.startswith(word))
        return self.bodies[word].replace(b"NAME", name.encode(), 1)

    def answer(self, body, is_zipped=False):
        try:
            self.send_response(200)
            self.send_header("content-type", "application/json")
            if is_zipped:
                self.send_header("content-encoding", "gzip")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            self.close_connection = True

    def log_message(self, *_):
        pass


def started(program, origin, backend):
    """The service within its address space, and where it listens."""
    env = {
        "PATH": os.environ.get("PATH", ""), "HOME": "/nonexistent", "AWS_ACCESS_KEY_ID": "invented", "AWS_SECRET_ACCESS_KEY": "invented",
        "AWS_REGION": "eu-central-1", "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_ENDPOINT_URL_SECRETS_MANAGER": origin, "DEFENDER_LOGIN_URL": origin, "DEFENDER_API_URL": origin, "DEFENDER_XDR_URL": origin,
        "DEFENDER_GRAPH_URL": origin, "DEFENDER_SECRET_ID": "d", "DEFENDER_BACKEND": backend, "ENRICH_AUTH": "none", "RUST_LOG": "off",
        "QUOTA_PER_MINUTE": "100000", "QUOTA_PER_HOUR": "100000", "ENRICH_TIMEOUT_MS": str(TIMEOUT_S * 1000),
        # Each thread's arena sets aside 64 MB of addresses, which cost nothing but count here.
        "MALLOC_ARENA_MAX": "1",
    }
    limit = lambda: resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    service = subprocess.Popen([program, "serve", "--listen", "127.0.0.1:0"], env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                               text=True, preexec_fn=limit)
    return service, service.stdout.readline().split()[-1].removeprefix("http://")


def peak(pid):
    """The most memory that a process has had, in bytes."""
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))


def waited(pid):
    """How long a process could have run while others of this machine did, in seconds; its threads for blocking calls hardly count."""
    with open(f"/proc/{pid}/schedstat") as told:
        return int(told.read().split()[1]) / 1e9


def ask(address, path, document):
    connection = http.client.HTTPConnection(address, timeout=TIMEOUT_S + 20)
    try:
        connection.request("POST", path, json.dumps(document), {"content-type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, http.client.HTTPException) as problem:
        return 0, repr(problem).encode()
    finally:
        connection.close()


def outcomes(status, body):
    """What became of each item."""
    try:
        answer = json.loads(body)
    except ValueError:
        return [(status, None)]
    if isinstance(answer, dict) and "results" in answer:
        return [(result["status"], result.get("problem", {}).get("code")) for result in answer["results"]]
    return [(status, answer.get("code") if status >= 400 else None)]


def stop_and_go(pid, ended):
    """Lets a process run for a seventh of the time."""
    while not ended.is_set():
        os.kill(pid, signal.SIGSTOP)
        time.sleep(CYCLE_S * 6 / 7)
        os.kill(pid, signal.SIGCONT)
        time.sleep(CYCLE_S / 7)


def tried(program, origin, case, is_slow):
    """What is wrong with a case; nothing where it holds. And what it took."""
    name, document, allowed = case
    documents = document if isinstance(document, list) else [document]
    service, address = started(program, origin, "graph" if any(f"{word}-0" in str(document) for word in GRAPH) else "defender")
    ended = threading.Event()
    try:
        ask(address, "/v1/enrich", {"alert_id": "none"})
        idle = peak(service.pid)
        if is_slow:
            stopper = threading.Thread(target=stop_and_go, args=(service.pid, ended))
            stopper.start()
        begun = time.monotonic()
        answers = [ask(address, "/v1/enrich/batch" if "requests" in one else "/v1/enrich", one) for one in documents]
        took = (time.monotonic() - begun) / len(documents)
        ended.set()
        if is_slow:
            stopper.join()
        if service.poll() is not None or any(status == 0 for status, _ in answers):
            return [f"no answer: {answers[-1][1][:80]!r}, exit status {service.poll()}"], ""
        # What others of this machine took is no fault of the service: of a seventh it is seven times as much.
        others = waited(service.pid) * (7 if is_slow else 1)
        beside, found = peak(service.pid) - idle, [outcome for answer in answers for outcome in outcomes(*answer)]
    finally:
        ended.set()
        service.kill()
        service.wait()
        service.stdout.close()
    wrong = []
    allowed = {*allowed, LATE} if is_slow else set(allowed)
    if not set(found) <= allowed:
        wrong.append(f"became {sorted(set(found), key=str)}")
    if took > TIMEOUT_S + LATE_S + others:
        wrong.append(f"took {took:.2f} s, {others:.2f} s of it because of other processes")
    if beside > MOST_BESIDE_IDLE:
        wrong.append(f"took {beside / MB:.0f} MB")
    kinds = ", ".join(f"{found.count(kind)} × {kind[1] or kind[0]}" for kind in sorted(set(found), key=str))
    return wrong, f"{took:.2f} s, {beside / MB:.0f} MB, {kinds}"


def main():
    StandIn.bodies["none"] = b'{"value":[]}'
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), StandIn)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    origin = f"http://127.0.0.1:{server.server_address[1]}"
    word = sys.argv[2] if len(sys.argv) > 2 else ""
    for made, body in BODIES.items():
        StandIn.bodies[made] = body()
    StandIn.bodies["zipped"] = gzip.compress(StandIn.bodies["huge"], 1)
    for made, (size, dense) in GRAPH.items():
        StandIn.bodies[made] = graph_alert("NAME", size, dense)
    passed = failed = 0
    for case in CASES:
        for is_slow in (False,) if isinstance(case[1], list) else (False, True):
            name = case[0] + (", at a seventh of a processor" if is_slow else "")
            if word not in name:
                continue
            wrong, took = tried(sys.argv[1], origin, case, is_slow)
            print(f"{'FAILED' if wrong else 'ok    '} {name}: {'; '.join([*wrong, took])}", flush=True)
            passed, failed = passed + (not wrong), failed + bool(wrong)
    print(f"memory: {passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
