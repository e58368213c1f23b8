"""The handler on a command line: serve bundles, ask them, make a token."""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from handler import cost
from handler.auth import new_token
from handler.errors import BundleError, DeploymentError, RequestError, SettingsError
from handler.golden import expected_models, replay
from handler.hexabot import TEXT, Service, load_service
from handler.logs import configure
from handler.settings import Settings

COMMANDS = ("serve", "ask", "check", "doctor", "cost", "token")
BUNDLES_HELP = "bundles or folders of bundles: a path, s3://bucket/prefix or hf://owner/name@revision"


def main(arguments: Sequence[str]) -> int:
    """Run a command; `python -m handler BUNDLES` is short for `serve BUNDLES`. Returns the exit status."""
    arguments = list(arguments)
    if arguments and arguments[0] not in (*COMMANDS, "-h", "--help"):
        arguments.insert(0, "serve")
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except (DeploymentError, RequestError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m handler",
        description="Serve exported Ludwig models, without Ludwig.",
        epilog="Settings such as limits and tokens are NLU_* environment variables: see the README.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    serve = commands.add_parser("serve", help="answer HTTP on this machine, as the Lambda does on AWS")
    serve.add_argument("bundles", nargs="+", metavar="BUNDLES", help=BUNDLES_HELP)
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    serve.add_argument("--port", type=int, default=8000, help="port to listen on (%(default)s)")
    serve.add_argument("--open", action="store_true", help="ask for no token; without it NLU_TOKEN_DIGESTS must be set")
    serve.set_defaults(run=_serve)

    ask = commands.add_parser("ask", help="answer texts on the terminal")
    ask.add_argument("bundles", metavar="BUNDLES", help=BUNDLES_HELP)
    ask.add_argument("texts", nargs="+", metavar="TEXT", help="what a user might say")
    ask.add_argument("--json", action="store_true", help="print what Hexabot gets, a line of JSON for each text")
    ask.set_defaults(run=_ask)

    check = commands.add_parser(
        "check", help="ask each bundle again the rows that it was exported with, as a deployment does before traffic"
    )
    check.add_argument("bundles", nargs="+", metavar="BUNDLES", help=BUNDLES_HELP)
    check.set_defaults(run=_check)

    doctor = commands.add_parser(
        "doctor", help="show where the time of a start goes, import by import, bundle by bundle"
    )
    doctor.add_argument("bundles", nargs="+", metavar="BUNDLES", help=BUNDLES_HELP)
    doctor.set_defaults(run=_doctor)

    cost.add(commands)

    token = commands.add_parser("token", help="make a token for Hexabot, and its digest for the service")
    token.set_defaults(run=_token)
    return parser


def _serve(options: argparse.Namespace) -> None:
    try:
        import uvicorn
    except ModuleNotFoundError:
        raise SettingsError(
            "Serving outside Lambda needs uvicorn: `pip install 'ludwig-serverless[serve]'`, or `make serve`."
        ) from None
    from handler.api import create_app
    from handler.routes import Routes

    settings = Settings.from_env(_environ(options.bundles, options.open))
    configure(settings.log_level)
    service = load_service(settings)
    address = f"http://{options.host}:{options.port}{settings.base_path}"
    query = "" if settings.open else "?token=$TOKEN"
    print(f"{len(service.predictors)} models at {address}: {', '.join(service.predictors)}. Stop with Ctrl-C. Try:\n")
    print(f"  curl -F 'text=good morning!' '{address}/predict{query}'\n", flush=True)
    app = create_app(Routes(service, settings), settings.cors_origins)
    uvicorn.run(app, host=options.host, port=options.port, log_config=None, access_log=False)


def _ask(options: argparse.Namespace) -> None:
    service = _local_service([options.bundles])
    for text in options.texts:
        answer = service.predict({TEXT: text}).answer
        print(msgspec.json.encode(answer).decode() if options.json else answer_table(text, answer))


def _check(options: argparse.Namespace) -> None:
    service = _local_service(options.bundles)
    result = replay(service.predictors)
    for change in result["changed"]:
        print("{model}: {row}: {column} was {expected!r}, is {found!r}".format_map(change))
    if result["unproven"]:
        raise BundleError(
            f"{', '.join(result['unproven'])}: the proof failed when the bundle was exported "
            "(--allow-failed-proof). Do not deploy it: export a model that passes."
        )
    if result["changed"]:
        raise BundleError(f"{len(result['changed'])} labels changed, in {result['checked']} rows: do not deploy this.")
    print(f"{', '.join(service.predictors)}: {result['checked']} rows answered as when they were exported.")
    print(f"To deploy them in place of other models: ExpectedModels={expected_models(service.predictors)}")


def _doctor(options: argparse.Namespace) -> None:
    from handler.doctor import examine

    print(examine(_environ(options.bundles, True)))


def _token(options: argparse.Namespace) -> None:
    token, digest = new_token()
    print(f"token   {token}\ndigest  {digest}")
    print(
        "Paste the token into Hexabot; put the digest into NLU_TOKEN_DIGESTS, commas between several.", file=sys.stderr
    )


def _local_service(bundles: Sequence[str]) -> Service:
    """Load bundles for whoever sits at the terminal: no token, and logs beside the answers."""
    settings = Settings.from_env(_environ(bundles, True))
    configure(settings.log_level, sys.stderr)
    return load_service(settings)


def _environ(bundles: Sequence[str], is_open: bool) -> dict[str, str]:
    environ = {**os.environ, "NLU_BUNDLES": ",".join(bundles)}
    return {**environ, "NLU_OPEN": "1"} if is_open else environ


def answer_table(text: str, answer: Mapping[str, Any]) -> str:
    """Return an answer as a person reads it: a line for each model, slots as Hexabot finds them."""
    lines = [text]
    for name, result in answer.items():
        if "predictions" not in result:
            lines.append(f"  {name:<12}{result['error']}")
            continue
        columns = result["predictions"]
        prediction = columns.get(f"{name}_predictions")
        if isinstance(prediction, list):
            found = _slots(text, prediction, columns[f"{name}_probabilities"]) or "none"
            lines.append(f"  {name:<12}{found}")
        elif prediction is not None:
            probability = columns.get(f"{name}_probabilities_{prediction}")
            lines.append(f"  {name:<12}{prediction:<24}{probability:.3f}")
    return "\n".join(lines)


def _slots(text: str, tags: list[str], probabilities: list[float]) -> str:
    """Read slots as Hexabot does: a span begins with `B-`, and has the probability of that tag."""
    found: list[tuple[str, list[str], float]] = []
    open_slot = ""
    for word, tag, probability in zip(text.split(" "), tags[1:], probabilities[1:], strict=False):
        if tag.startswith("B-"):
            open_slot = tag[2:]
            found.append((open_slot, [word], probability))
        elif open_slot and tag == f"I-{open_slot}":
            found[-1][1].append(word)
        else:
            open_slot = ""
    return ", ".join(f"{slot} = {' '.join(words)} ({probability:.3f})" for slot, words, probability in found)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
