"""Checks signed webhooks with the reference library of Standard Webhooks.

Arguments: a JSON file with the secret, and requests as {"headers": {...}, "body": "..."}. Prints how many were good, and that none was
with another body.
"""

import json
import sys

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

given = json.load(open(sys.argv[1], encoding="utf-8"))
webhook = Webhook(given["secret"])
good = 0
for request in given["requests"]:
    payload = webhook.verify(request["body"], request["headers"])
    assert payload["type"] == "findings.changed", payload
    try:
        webhook.verify(request["body"] + " ", request["headers"])
    except WebhookVerificationError:
        good += 1
print(good)
