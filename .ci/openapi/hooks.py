"""What .ci/verify-openapi adds to schemathesis."""

import os

import schemathesis

# Codes of requests with something that the server doesn't know. Another 400 can be about a rule that a schema can't
# express.
NOT_UNDERSTOOD = {"invalid_json", "unknown_field", "unknown_parameter"}


def resolved(document, schema):
    """Returns the schema that a schema refers to. schemathesis can't use dictionaries with references in anyOf."""
    return document["components"]["schemas"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


@schemathesis.hook
def before_load_schema(_context, document):
    """Adds what the prose of openapi.yaml says, and a schema can't."""
    operations = [
        operation
        for path in document["paths"].values()
        for operation in path.values()
        if isinstance(operation, dict)
    ]
    # A message ID such as `send` is the path of another operation.
    document["paths"]["/api/messages/{messageId}"]["get"]["responses"]["405"] = {"description": "Another path."}
    shared = document["components"]["parameters"].values()
    for parameter in [*shared, *(parameter for each in operations for parameter in each.get("parameters", []))]:
        # An empty query parameter counts as absent.
        if parameter.get("in") == "query" and not parameter.get("required"):
            parameter["schema"] = {"anyOf": [resolved(document, parameter["schema"]), {"const": ""}]}
    for body in [each["requestBody"] for each in operations if "requestBody" in each]:
        # A body that is null counts as absent.
        if not body.get("required"):
            content = body["content"]["application/json"]
            content["schema"] = {"anyOf": [content["schema"], {"type": "null"}]}


@schemathesis.hook
def before_call(_context, case, kwargs):
    """Keeps outgoing webhooks on this machine, and the sessions that other requests use. Follows no redirect."""
    if case.operation.definition.raw["operationId"] == "getMedia":
        kwargs["allow_redirects"] = False
    if isinstance(case.body, dict) and str(case.body.get("url")).startswith("http"):
        case.body["url"] = os.environ["QASID_RECEIVER"]
    erases_session = case.operation.definition.raw["operationId"] == "eraseSession"
    if erases_session and case.query and case.query.get("sessionId") in os.environ["QASID_SESSIONS"].split():
        case.query["sessionId"] = os.environ["QASID_SPARE_SESSION"]


@schemathesis.check
def valid_data_is_understood(_context, response, case):
    """Fails if the server doesn't know a member or parameter of openapi.yaml, or can't parse valid JSON."""
    # A worker's message can have one more member, of any name, but only if it is the message's type.
    if case.operation.definition.raw["operationId"] == "receiveMessage":
        return
    if case.meta is not None and case.meta.generation.mode.is_positive and response.status_code == 400:
        assert response.json()["code"] not in NOT_UNDERSTOOD, response.text
