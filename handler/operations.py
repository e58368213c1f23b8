"""What the API's description says about each route: a sentence, the types of its fields and its answer, its errors."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from handler.answer_types import Evaluation, Health, ModelAnswer, Parsed, TableAnswer, Understood
from handler.errors import (
    ForbiddenError,
    PayloadTooLargeError,
    RequestError,
    UnauthorizedError,
    UnsupportedContentError,
    WrongMethodError,
)
from handler.mcp import VERSION_HEADER, VERSIONS
from handler.mcp_types import McpAnswer, McpMessage
from handler.models import Models
from handler.parsing import Dataset
from handler.request_types import BatchFields, ParseFields, PredictFields, UnderstandFields

JSON, HTML, TEXT = "application/json", "text/html", "text/plain"
FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")
OF_BODIES = (RequestError, UnauthorizedError, PayloadTooLargeError, UnsupportedContentError)
"""The errors of routes that read a body."""


class Operation(NamedTuple):
    """A method of a route.

    Attributes:
        summary: What it does.
        fields: The type of the fields that it reads; None if it reads no body.
        answer: The type of its answer; None if it always answers an error.
        errors: The errors that it may answer.
        media: The media type of the answer.
        forms: The media types of forms that may also carry the fields.
        open: Whether it needs no token.
        accepts: Whether it may answer 202 without a body.
        headers: The optional headers that it reads, and their values.
    """

    summary: str
    fields: Any = None
    answer: Any = None
    errors: tuple[type[RequestError], ...] = ()
    media: str = JSON
    forms: tuple[str, ...] = ()
    open: bool = False
    accepts: bool = False
    headers: Mapping[str, tuple[str, ...]] = {}


OPERATIONS: dict[tuple[str, str], Operation] = {
    ("GET", "/"): Operation("Check that the service is up, and list its models.", answer=Health, open=True),
    ("POST", "/understand"): Operation(
        "Understand a message: its intent, language and entities.",
        UnderstandFields,
        Understood,
        OF_BODIES,
        forms=FORMS,
    ),
    ("POST", "/predict"): Operation(
        "Answer one row with Ludwig's columns, one object for each model.",
        PredictFields,
        dict[str, ModelAnswer],
        OF_BODIES,
        forms=FORMS,
    ),
    ("POST", "/batch_predict"): Operation(
        "Answer several rows with Ludwig's columns, one table for each model.",
        BatchFields,
        dict[str, TableAnswer],
        OF_BODIES,
        forms=FORMS,
    ),
    ("GET", "/models"): Operation("Describe the models.", answer=Models, errors=(UnauthorizedError,)),
    ("POST", "/parse"): Operation(
        "Understand a message in the format of Hexabot v2's helpers.", ParseFields, Parsed, OF_BODIES, forms=FORMS
    ),
    ("POST", "/evaluate"): Operation(
        "Compare the answers with the labels of a dataset, for Hexabot v2's helpers.", Dataset, Evaluation, OF_BODIES
    ),
    ("POST", "/train"): Operation(
        "Refuse to train, for Hexabot v2's helpers: the answer names the command to run.",
        errors=(RequestError, UnauthorizedError),
    ),
    ("POST", "/mcp"): Operation(
        "Answer a message of the Model Context Protocol.",
        McpMessage,
        McpAnswer,
        (*OF_BODIES, ForbiddenError),
        accepts=True,
        headers={VERSION_HEADER: VERSIONS},
    ),
    ("GET", "/mcp"): Operation(
        "Refuse to open a stream of the Model Context Protocol.", errors=(WrongMethodError,), open=True
    ),
    ("GET", "/metrics"): Operation(
        "Answer the metrics of this process, for Prometheus.", answer=str, errors=(UnauthorizedError,), media=TEXT
    ),
    ("GET", "/playground"): Operation("Show a page for trying out the models.", answer=str, media=HTML, open=True),
    ("GET", "/openapi.json"): Operation("Describe this API.", answer=dict[str, Any], open=True),
    ("GET", "/docs"): Operation("Show the description of this API as a page.", answer=str, media=HTML, open=True),
}
"""By method and path, in the order of the description. A test compares the keys with `Routes.table`."""
