#!/usr/bin/env python3
"""Hooks as their senders' own libraries sign: slack_sdk and standardwebhooks against the demonstration.

And every command of `docs/integrations/` that calls the demonstration, as pasted. These need bash, curl and openssl.

    python3 .ci/hooks_check.py PROGRAM

PROGRAM: `defender-enrich`. Prints `hooks: N passed, M failed` last, and exits 1 if any failed.
"""
import datetime
import json
import re
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from slack_sdk.signature import SignatureVerifier
from standardwebhooks import Webhook

# The demonstration's own, which open nothing else.
SLACK = SignatureVerifier("demo-slack-signing-secret")
WEBHOOK = Webhook("whsec_ZGVtby1zdGFuZGFyZC13ZWJob29rLXNlY3JldA==")
MACHINE = "desk-042.contoso.com"
# The pages, and the address of the demonstration in them.
PAGES = Path(__file__).resolve().parent.parent / "docs" / "integrations"
DEMO = "http://127.0.0.1:9000"


def send(url, body, headers):
    """The status and the body of a POST."""
    request = urllib.request.Request(url, body.encode(), headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=20) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def slack(origin, text, signed=None):
    """A slash command; `signed` is the body that the signature is made for."""
    form = {"command": "/defender", "text": text, "response_url": "https://hooks.slack.com/commands/T0/1/x", "user_id": "U0"}
    body = urllib.parse.urlencode(form)
    now = str(int(datetime.datetime.now().timestamp()))
    signature = SLACK.generate_signature(timestamp=now, body=signed or body)
    headers = {"Content-Type": "application/x-www-form-urlencoded", "X-Slack-Request-Timestamp": now, "X-Slack-Signature": signature}
    return send(f"{origin}/v1/hooks/slack", body, headers)


def webhook(origin, body, signed=None, age=0):
    """A signed request in place of one with a key."""
    at = datetime.datetime.now(tz=datetime.timezone.utc) - datetime.timedelta(seconds=age)
    headers = {
        "Content-Type": "application/json", "webhook-id": "msg_1", "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": WEBHOOK.sign("msg_1", at, signed or body),
    }
    return send(f"{origin}/v1/enrich", body, headers)


def checks(origin):
    """Each check by its name, with whether it holds."""
    status, body = slack(origin, f"machine {MACHINE}")
    message = json.loads(body)
    yield "Slack's library signs, and is answered", status == 200 and "desk-042" in message["text"] and message["blocks"]
    status, body = slack(origin, "nonsense")
    yield "nonsense is answered with a hint", status == 200 and json.loads(body)["response_type"] == "ephemeral"
    yield "a body that was not signed is refused", slack(origin, f"machine {MACHINE}", signed="text=other")[0] == 401
    question = json.dumps({"machine": MACHINE})
    status, body = webhook(origin, question)
    yield "Standard Webhooks' library signs, and is answered", status == 200 and json.loads(body)["found"]
    yield "another body is refused", webhook(origin, question, signed="{}")[0] == 401
    yield "a signature of six minutes ago is refused", webhook(origin, question, age=360)[0] == 401


def is_answer(body):
    """Whether a body is an answer rather than a problem."""
    try:
        return "code" not in json.loads(body)
    except ValueError:
        return False


def pasted(origin):
    """Each command of the pages that calls the demonstration, with whether it is answered."""
    pages = set()
    for page in sorted(PAGES.glob("*.md")):
        for block in re.findall(r"^```sh\n(.*?)^```$", page.read_text(), re.M | re.S):
            if DEMO in block:
                pages.add(page.stem)
                command = ["bash", "-euo", "pipefail", "-c", block.replace(DEMO, origin)]
                done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=30)
                yield f"the command of {page.name} is answered", done.returncode == 0 and is_answer(done.stdout)
    expected = {"slack", "teams", "pagerduty", "standard-webhooks"}
    yield f"there are commands in {', '.join(sorted(expected))}", pages >= expected


def main():
    command = [sys.argv[1], "serve", "--demo", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as service:
        try:
            origin = service.stdout.readline().split()[-1]
            outcomes = [(name, bool(holds)) for name, holds in [*checks(origin), *pasted(origin)]]
        finally:
            service.terminate()
    for name, holds in outcomes:
        print(f"{'ok    ' if holds else 'FAILED'} {name}")
    failed = sum(not holds for _, holds in outcomes)
    print(f"hooks: {len(outcomes) - failed} passed, {failed} failed")
    return 1 if failed or not outcomes else 0


if __name__ == "__main__":
    sys.exit(main())
