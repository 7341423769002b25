"""Checks signed webhooks with the reference library of Standard Webhooks.

Argument: a JSON file with the secret, and requests as {"headers": {...}, "body": "..."}. Prints how many were good as they are and not
with another body. The library's clock is set to each message's own time: how long a test takes must not matter.
"""

import json
import sys
from datetime import datetime, timezone
from unittest import mock

from standardwebhooks import webhooks
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

given = json.load(open(sys.argv[1], encoding="utf-8"))
webhook = Webhook(given["secret"])
good = 0
for request in given["requests"]:
    sent_at = datetime.fromtimestamp(int(request["headers"]["webhook-timestamp"]), tz=timezone.utc)
    with mock.patch.object(webhooks, "datetime", wraps=datetime) as clock:
        clock.now.return_value = sent_at
        payload = webhook.verify(request["body"], request["headers"])
        assert payload["type"] == "findings.changed", payload
        try:
            webhook.verify(request["body"] + " ", request["headers"])
        except WebhookVerificationError:
            good += 1
print(good)
