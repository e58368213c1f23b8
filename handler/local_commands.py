"""The commands `ask`, `check`, `doctor` and `token` of `ludwig-serverless`."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from handler.errors import BundleError
from handler.serve_command import BUNDLES_HELP, environ

if TYPE_CHECKING:
    from handler.hexabot import Service

ASK = """
Answer texts on the terminal, with every model: what Hexabot would understand.
"""
ASK_EPILOG = """
examples:
  ludwig-serverless ask bundles "I need a room in Cairo for three nights"
  ludwig-serverless ask bundles "good morning" "bonjour" --json

Next: ludwig-serverless serve bundles --open
"""
CHECK = """
Ask each bundle the rows that it keeps of its export, and compare the labels with Ludwig's. A deployment does the same
before it takes traffic: run it where the bundles will be served.
"""
CHECK_EPILOG = """
example:
  ludwig-serverless check bundles

Next: deploy the bundles (docs/deploy.md). If a label changed, export the model again where it will be served.
"""
DOCTOR = """
Start the service once in a process of its own, and show where the time goes: import by import, bundle by bundle, and
the first two answers.
"""
DOCTOR_EPILOG = """
example:
  ludwig-serverless doctor bundles

Next: a large graph is smaller as int8 (`ludwig-serverless export --quantize auto`).
"""
ACCESS = """
Make a token for Hexabot and its SHA-256 digest for the service, which never needs the token itself.
"""
ACCESS_EPILOG = """
examples:
  ludwig-serverless token > token.txt
  NLU_TOKEN_DIGESTS=$(sed -n 's/^digest *//p' token.txt) ludwig-serverless serve bundles

Next: paste the token into Hexabot, and put the digest into NLU_TOKEN_DIGESTS, with commas between several.
"""


def add_ask(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `ask` to its parser."""
    parser.description, parser.epilog = ASK, ASK_EPILOG
    parser.add_argument("bundles", metavar="BUNDLES", help=BUNDLES_HELP)
    parser.add_argument("texts", nargs="+", metavar="TEXT", help="what a user might say")
    parser.add_argument("--json", action="store_true", help="print what Hexabot gets, a line of JSON for each text")
    parser.set_defaults(run=_ask)


def add_check(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `check` to its parser."""
    parser.description, parser.epilog = CHECK, CHECK_EPILOG
    parser.add_argument("bundles", nargs="+", metavar="BUNDLES", help=BUNDLES_HELP)
    parser.set_defaults(run=_check)


def add_doctor(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `doctor` to its parser."""
    parser.description, parser.epilog = DOCTOR, DOCTOR_EPILOG
    parser.add_argument("bundles", nargs="+", metavar="BUNDLES", help=BUNDLES_HELP)
    parser.set_defaults(run=_doctor)


def add_token(parser: argparse.ArgumentParser) -> None:
    """Describe `token`, which has no arguments."""
    parser.description, parser.epilog = ACCESS, ACCESS_EPILOG
    parser.set_defaults(run=_token)


def _ask(options: argparse.Namespace) -> None:
    import msgspec

    from handler.hexabot import TEXT

    service = _local_service([options.bundles])
    for text in options.texts:
        answer = service.predict({TEXT: text}).answer
        print(msgspec.json.encode(answer).decode() if options.json else answer_table(text, answer))


def _check(options: argparse.Namespace) -> None:
    from handler.golden import expected_models, replay

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

    print(examine(environ(options.bundles, is_open=True)))


def _token(options: argparse.Namespace) -> None:
    from handler.auth import new_token

    token, digest = new_token()
    print(f"token   {token}\ndigest  {digest}")
    print(
        "Paste the token into Hexabot; put the digest into NLU_TOKEN_DIGESTS, commas between several.", file=sys.stderr
    )


def _local_service(bundles: Sequence[str]) -> "Service":
    """Load bundles for the person at the terminal: no token, and logs beside the answers."""
    from handler.hexabot import load_service
    from handler.logs import configure
    from handler.settings import Settings

    settings = Settings.from_env(environ(bundles, is_open=True))
    configure(settings.log_level, sys.stderr)
    return load_service(settings)


def answer_table(text: str, answer: Mapping[str, Any]) -> str:
    """Return an answer as a person reads it: a line for each model, slots as Hexabot finds them."""
    lines = [text]
    for name, result in answer.items():
        unsure = result.get("below_threshold", {})
        if label := unsure.get(f"{name}_predictions"):
            lines.append(f"  {name:<12}{'unsure':<24}{label} {unsure[f'{name}_probability']:.3f}")
            continue
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
