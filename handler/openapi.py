"""The description of the API in OpenAPI 3.1, generated from the types that the routes use.

It describes the routes of one deployment: those that are on, its limits, its models and its base path. Nothing loads
this module before a request asks for it.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from inspect import cleandoc
from pathlib import Path
from typing import Any

import msgspec

from handler import __version__
from handler.answer_types import Error
from handler.messages import ACCEPTED
from handler.operations import JSON, OPERATIONS, Operation
from handler.responses import STATUS
from handler.settings import Settings

EXAMPLES = Path(__file__).parent / "pages" / "api_examples.json"
"""Requests with the answers of the bundles in examples/. `make reference` writes them."""
ABOUT = """\
The intent, the language and the entities of a message, from models that Ludwig trained.

A request carries its token as `Authorization: Bearer`, as the header `x-api-key` or as the query parameter `token`.
A body may be compressed with gzip or deflate. Every error is a JSON object with `error` and `request_id`; each
response has the request's id in the header `x-request-id`. If this service stores unsure messages for review, a
request with the header `x-no-capture: 1` is left out.
"""
STRING = {"type": "string"}
REFERENCE = "#/components/schemas/{name}"
ATTRIBUTE = re.compile(r"^    (\w+): (.*(?:\n {8}.*)*)", re.MULTILINE)
"""An attribute in a docstring, with the lines that continue it."""
SECURITY = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "apiKey": {"type": "apiKey", "in": "header", "name": "x-api-key"},
    "token": {"type": "apiKey", "in": "query", "name": "token"},
}
LIMITS = (
    (
        "max_text_characters",
        "maxLength",
        ("PredictFields.text", "UnderstandFields.text", "ParseFields.q", "Sample.text"),
    ),
    ("max_batch_rows", "maxItems", ("RequestTable.data", "Dataset.common_examples")),
)
"""The settings that limit a value, the keyword for it, and the properties that it limits."""
NAMED = ("PredictFields", "BatchFields", "UnderstandFields")
"""The types whose field `model` names models."""


def describe(
    routes: Mapping[str, Iterable[str]], settings: Settings, columns: Mapping[str, list[str]] | None = None
) -> dict[str, Any]:
    """Describe a deployment's API.

    Args:
        routes: The methods of each path.
        settings: The limits, the base path, and whether requests need a token.
        columns: The columns that each model reads, by the model's name; None to describe no particular models.

    Returns:
        An OpenAPI 3.1 document.

    Raises:
        KeyError: `OPERATIONS` lacks a route.
    """
    described = [
        (path, method, _described(method, path))
        for path, methods in routes.items()
        for method in methods
        if method != "HEAD"
    ]
    described.sort(key=lambda each: list(OPERATIONS).index((each[1], each[0])))
    schemas, components = _schemas([operation for _, _, operation in described])
    _limit(components, settings)
    if columns:
        _name_models(components, columns)
    components |= _forms(components, sorted({each.fields.__name__ for *_, each in described if each.forms}))
    paths: dict[str, dict[str, Any]] = {}
    for path, method, operation in described:
        paths.setdefault(path, {})[method.lower()] = _operation(method, path, operation, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "ludwig-serverless", "version": __version__, "description": ABOUT},
        "servers": [{"url": settings.base_path or "/"}],
        "security": [] if settings.open else [{name: []} for name in SECURITY],
        "paths": paths,
        "components": {
            "schemas": components,
            "responses": dict(_errors()),
            "headers": {"RequestId": {"description": "The id of the request.", "required": True, "schema": STRING}},
            "securitySchemes": SECURITY,
        },
    }


@cache
def examples() -> dict[str, dict[str, Any]]:
    """Return a request and its answer for each operation, and an answer for each error, by operation or error."""
    found: dict[str, dict[str, Any]] = msgspec.json.decode(EXAMPLES.read_bytes())
    return found


def _described(method: str, path: str) -> Operation:
    operation = OPERATIONS.get((method, path))
    if operation is None:
        raise KeyError(f"{method} {path} is a route that OPERATIONS in handler/operations.py lacks: describe it there.")
    return operation


def _schemas(operations: Iterable[Operation]) -> tuple[dict[Any, Any], dict[str, Any]]:
    """Return the schema of each type, and the components that they refer to."""
    types = [each for operation in operations for each in (operation.fields, operation.answer) if each is not None]
    types = list(dict.fromkeys([*types, Error]))
    found, components = msgspec.json.schema_components(types, ref_template=REFERENCE)
    for schema in components.values():
        _document(schema)
    return dict(zip(types, found, strict=True)), components


def _document(schema: dict[str, Any]) -> None:
    """Turn the docstring of a type into the descriptions of the type and of its properties, in the same order."""
    schema.pop("title", None)
    docstring = cleandoc(schema.get("description", ""))
    schema["description"] = " ".join(docstring.partition("\n\n")[0].split())
    properties, ordered = schema["properties"], {}
    for name, text in ATTRIBUTE.findall(docstring.partition("Attributes:\n")[2]):
        first, *others = name.split("_")
        shown = name if name in properties else first + "".join(map(str.capitalize, others))
        ordered[shown] = {**properties[shown], "description": " ".join(text.split())}
    schema["properties"] = ordered | {name: value for name, value in properties.items() if name not in ordered}


def _limit(components: Mapping[str, Any], settings: Settings) -> None:
    """Write the limits of a deployment into the schemas."""
    for setting, keyword, limited in LIMITS:
        for name in limited:
            kind, _, field = name.partition(".")
            components[kind]["properties"][field][keyword] = getattr(settings, setting)


def _name_models(components: Mapping[str, Any], columns: Mapping[str, list[str]]) -> None:
    """Write the models of a deployment into the schemas: the values of `model`, and whether `text` is required."""
    one = "|".join(map(re.escape, columns))
    for name in NAMED:
        for choice in components[name]["properties"]["model"]["anyOf"]:
            if choice["type"] == "array":
                choice |= {"items": {"enum": list(columns)}, "minItems": 1}
            if choice["type"] == "string":
                choice["pattern"] = f"^$|^ *({one}) *(, *({one}) *)*$"
    if all(read == ["text"] for read in columns.values()):
        components["PredictFields"]["required"] = ["text"]


def _operation(method: str, path: str, operation: Operation, schemas: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the description of one method of a path."""
    example = examples().get(f"{method} {path}", {})
    described: dict[str, Any] = {"operationId": _name(method, path), "summary": operation.summary}
    if operation.open:
        described["security"] = []
    if operation.headers:
        described["parameters"] = [
            {"name": name, "in": "header", "schema": {"enum": list(values)}}
            for name, values in operation.headers.items()
        ]
    if operation.fields:
        content = {media: _body(operation, schemas, media, example) for media in (JSON, *operation.forms)}
        described["requestBody"] = {"required": True, "content": content}
    return {**described, "responses": _responses(operation, schemas, example)}


def _body(operation: Operation, schemas: Mapping[Any, Any], media: str, example: Mapping[str, Any]) -> dict[str, Any]:
    """Return the description of a body. In a form, every field is a string."""
    schema = schemas[operation.fields]
    if media == JSON:
        return {"schema": schema, **({"example": example["fields"]} if example else {})}
    return {"schema": {"$ref": f"{schema['$ref']}Form"}}


def _responses(operation: Operation, schemas: Mapping[Any, Any], example: Mapping[str, Any]) -> dict[str, Any]:
    """Return the responses of an operation, by status."""
    responses: dict[str, Any] = {}
    if operation.answer:
        content = {"schema": schemas[operation.answer], **({"example": example["answer"]} if example else {})}
        responses["200"] = _response("The answer.", operation.media, content)
    if operation.accepts:
        responses[str(ACCEPTED)] = _response("A notification or a response was accepted, and there is no answer.")
    for error in operation.errors:
        responses[str(STATUS[error])] = {"$ref": f"#/components/responses/{error.__name__}"}
    responses["500"] = {"$ref": "#/components/responses/InternalError"}
    return dict(sorted(responses.items()))


def _response(description: str, media: str = JSON, content: Mapping[str, Any] | None = None) -> dict[str, Any]:
    response = {"description": description, "headers": {"x-request-id": {"$ref": "#/components/headers/RequestId"}}}
    return {**response, "content": {media: content}} if content else response


def _errors() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield a response for each error that `STATUS` knows, and one for all others."""
    described = {error.__name__: cleandoc(error.__doc__ or "").partition("\n\n")[0] for error in STATUS}
    for name, description in {**described, "InternalError": "The service failed."}.items():
        example = examples().get(name)
        content = {"schema": {"$ref": REFERENCE.format(name="Error")}, **({"example": example} if example else {})}
        yield name, _response(" ".join(description.split()), content=content)


def _forms(components: Mapping[str, Any], types: Iterable[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the schema of each type as a form, in which every field is a string: plain, or with JSON."""
    for name in types:
        fields = components[name]
        properties = {field: _as_text(schema) for field, schema in fields["properties"].items()}
        yield f"{name}Form", {**fields, "properties": properties}


def _as_text(schema: Mapping[str, Any]) -> dict[str, Any]:
    choices = schema.get("anyOf", [schema])
    text = next((each for each in choices if each.get("type") == "string" or "enum" in each), None)
    if text is None:
        content = {"contentMediaType": JSON, "contentSchema": dict(schema)}
        return {"type": "string", **content, "description": schema["description"]}
    return {**text, **{keyword: value for keyword, value in schema.items() if keyword != "anyOf"}}


def _name(method: str, path: str) -> str:
    """Return the name of an operation, such as `post_batch_predict`."""
    return f"{method.lower()}_{re.sub(r'[^a-z0-9]+', '_', path.strip('/')) or 'health'}"
