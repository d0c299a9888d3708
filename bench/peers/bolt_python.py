"""A slash command answered by Slack's Bolt for Python on Lambda, under a loop that does less than AWS's own runtime."""

import http.client
import json
import os
from types import SimpleNamespace

from slack_bolt import App
from slack_bolt.adapter.aws_lambda import SlackRequestHandler
from slack_bolt.authorization import AuthorizeResult


def authorize(**_):
    return AuthorizeResult(enterprise_id=None, team_id="T0001", bot_token="xoxb-not-a-token")


app = App(signing_secret=os.environ["SLACK_SIGNING_SECRET"], authorize=authorize, process_before_response=True)


@app.command("/access-key")
def answer(ack):
    ack("There is no such command.")


context = SimpleNamespace(function_name="keyvend", invoked_function_arn="arn:aws:lambda:eu-west-1:123456789012:function:keyvend")
handler = SlackRequestHandler(app)
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
while True:
    api.request("GET", "/2018-06-01/runtime/invocation/next")
    response = api.getresponse()
    event = json.loads(response.read())
    answered = json.dumps(handler.handle(event, context))
    api.request("POST", f"/2018-06-01/runtime/invocation/{response.headers['Lambda-Runtime-Aws-Request-Id']}/response", answered)
    api.getresponse().read()
