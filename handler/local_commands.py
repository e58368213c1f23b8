"""The commands `ask`, `check`, `doctor` and `token` of `ludwig-serverless`."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from handler.errors import BundleError
from handler.serve_command import BUNDLES_HELP, environ

if TYPE_CHECKING:
    from handler.hexabot import Service
    from handler.predictor import Predictor
    from handler.settings import Settings

ASK = """
Answer texts in the terminal with every model, and show what Hexabot would understand.
"""
ASK_EPILOG = """
examples:
  ludwig-serverless ask bundles "I need a room in Cairo for three nights"
  ludwig-serverless ask bundles "good morning" "bonjour" --json

Next: ludwig-serverless serve bundles --open
"""
CHECK = """
Run each bundle on the golden rows that it keeps from its export, and compare the labels with Ludwig's. A deployment
does the same before it takes traffic. Run this command on the machine that will serve the bundles. Shadow bundles, in
the folder `shadow` of BUNDLES or in NLU_SHADOWS, are checked too.
"""
CHECK_EPILOG = """
example:
  ludwig-serverless check bundles

Next: deploy the bundles (docs/deploy.md). If a label changed, export the model again on the machine that will serve it.
"""
DOCTOR = """
Start the service once in a separate process and show where the time goes: each import, each bundle, and the first two
answers.
"""
DOCTOR_EPILOG = """
example:
  ludwig-serverless doctor bundles

Next: make a large graph smaller with int8 weights (`ludwig-serverless export --quantize auto`).
"""
ACCESS = """
Create a token for Hexabot and its SHA-256 digest for the service, which never needs the token itself.
"""
ACCESS_EPILOG = """
examples:
  ludwig-serverless token > token.txt
  NLU_TOKEN_DIGESTS=$(sed -n 's/^digest *//p' token.txt) ludwig-serverless serve bundles

Next: paste the token into Hexabot and add the digest to NLU_TOKEN_DIGESTS, a comma-separated list.
"""


def add_ask(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `ask` to its parser."""
    parser.description, parser.epilog = ASK, ASK_EPILOG
    parser.add_argument("bundles", metavar="BUNDLES", help=BUNDLES_HELP)
    parser.add_argument("texts", nargs="+", metavar="TEXT", help="a message that a user might send")
    parser.add_argument("--json", action="store_true", help="print what Hexabot gets: one line of JSON for each text")
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
    from handler.golden import expected_models
    from handler.hexabot import load_service
    from handler.observers import shadow_locations

    settings = _local_settings(options.bundles)
    live = load_service(settings).predictors
    rows = require_golden(live)
    print(f"{', '.join(live)}: all {rows} rows have the same answers as at export.")
    print(f"To replace the deployed models with these: ExpectedModels={expected_models(live)}")
    if not shadow_locations(settings):
        return
    from handler.shadow_bundles import load_shadows

    shadows = load_shadows(live, settings)
    if shadows.problems:
        raise BundleError(" ".join(shadows.problems))
    rows = require_golden(shadows.predictors)
    print(f"shadows {expected_models(shadows.predictors)}: all {rows} rows have the same answers as at export.")


def require_golden(predictors: "Mapping[str, Predictor]") -> int:
    """Replay the golden rows of bundles, and print each label that changed.

    Args:
        predictors: The loaded models, by name.

    Returns:
        The number of rows.

    Raises:
        BundleError: A label changed, or the proof of a bundle failed.
    """
    from handler.golden import replay

    result = replay(predictors)
    for change in result["changed"]:
        print("{model}: {row}: {column} was {expected!r} and is now {found!r}".format_map(change))
    if result["unproven"]:
        raise BundleError(
            f"{', '.join(result['unproven'])}: exported with --allow-failed-proof after a failed proof. Do not deploy "
            "this bundle: export a model that passes."
        )
    if result["changed"]:
        raise BundleError(
            f"{len(result['changed'])} labels changed in {result['checked']} rows. Do not deploy these bundles: export "
            "the models again."
        )
    rows: int = result["checked"]
    return rows


def _doctor(options: argparse.Namespace) -> None:
    from handler.doctor import examine

    print(examine(environ(options.bundles, is_open=True)))


def _token(options: argparse.Namespace) -> None:
    from handler.auth import new_token

    token, digest = new_token()
    print(f"token   {token}\ndigest  {digest}")
    print("Paste the token into Hexabot. Add the digest to NLU_TOKEN_DIGESTS, a comma-separated list.", file=sys.stderr)


def _local_service(bundles: Sequence[str]) -> "Service":
    """Load bundles for use in the terminal: without a token, and with logs on stderr."""
    from handler.hexabot import load_service

    return load_service(_local_settings(bundles))


def _local_settings(bundles: Sequence[str]) -> "Settings":
    """Return the settings for use in the terminal, and send logs to stderr."""
    from handler.logs import configure
    from handler.settings import Settings

    settings = Settings.from_env(environ(bundles, is_open=True))
    configure(settings.log_level, sys.stderr)
    return settings


def answer_table(text: str, answer: Mapping[str, Any]) -> str:
    """Format an answer for people.

    Args:
        text: The text that was asked.
        answer: The answer of `Service.predict`.

    Returns:
        The text, and one line for each model or output, with slots as Hexabot reads them.
    """
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
    """Read slots as Hexabot does: a span begins with `B-x`, whose probability counts, and goes on over empty pieces."""
    found: list[tuple[str, list[str], float]] = []
    open_slot = ""
    for word, tag, probability in zip(text.split(" "), tags[1:], probabilities[1:], strict=False):
        if not word:
            continue
        if tag.startswith("B-"):
            open_slot = tag[2:]
            found.append((open_slot, [word], probability))
        elif open_slot and tag == f"I-{open_slot}":
            found[-1][1].append(word)
        else:
            open_slot = ""
    return ", ".join(f"{slot} = {' '.join(words)} ({probability:.3f})" for slot, words, probability in found)
