"""The command `ludwig-serverless serve`: run the service as a local HTTP server."""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from handler.errors import SettingsError
from handler.extras import how_to_install

if TYPE_CHECKING:
    from handler.tracing import Traces

SIGNALED = 128
"""Shells add this to the number of the signal that ended a process, and report the sum as its exit status."""
BUNDLES_HELP = "bundles or folders of bundles: a path, s3://bucket/prefix or hf://owner/name@revision"
DESCRIPTION = """
Serve bundles over HTTP on this machine, with the same routes and answers as on Lambda, and a page to try them out:
GET /playground. This needs neither Ludwig nor torch.
"""
EPILOG = """
examples:
  ludwig-serverless serve bundles --open                             (no token needed: only on your own machine)
  NLU_TOKEN_DIGESTS=DIGEST ludwig-serverless serve bundles           (`ludwig-serverless token` prints a digest)
  ludwig-serverless serve hf://me/travel-intent@v3 --port 8080
  ludwig-serverless serve bundles --open --compare new-bundles       (side by side in the playground)

Set limits, tokens and the default language with NLU_* environment variables; the README lists them.
Next: in Hexabot, enter the URL that this command prints, and the token, in the settings of the Ludwig NLU helper.
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `serve` to its parser."""
    parser.description, parser.epilog = DESCRIPTION, EPILOG
    parser.add_argument("bundles", nargs="+", metavar="BUNDLES", help=BUNDLES_HELP)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=8000, help="port to listen on (%(default)s)")
    parser.add_argument(
        "--open", action="store_true", help="accept requests without a token; otherwise set NLU_TOKEN_DIGESTS"
    )
    parser.add_argument(
        "--compare",
        action="append",
        metavar="BUNDLES",
        help="other bundles to compare with, side by side in the playground; repeat it for several folders",
    )
    parser.add_argument(
        "--capture",
        metavar="FOLDER",
        help="store unsure messages, scrubbed of e-mail addresses, numbers and URLs, for `review` "
        "(or s3://bucket/prefix; see docs/capture.md)",
    )
    parser.add_argument(
        "--traces",
        action="store_true",
        help="send a trace of each request with OpenTelemetry, configured by its variables, such as "
        "OTEL_EXPORTER_OTLP_ENDPOINT",
    )
    parser.set_defaults(run=_serve)


def environ(bundles: Sequence[str], *, is_open: bool) -> dict[str, str]:
    """Return this process's environment with the settings of a command line.

    Args:
        bundles: The value of NLU_BUNDLES.
        is_open: Whether to accept requests without a token. True overrides NLU_OPEN.

    Returns:
        The variables for `Settings.from_env`.
    """
    found = {
        "NLU_PLAYGROUND": "1",
        "NLU_DOCS": "1",
        "NLU_METRICS": "drift",
        **os.environ,
        "NLU_BUNDLES": ",".join(bundles),
    }
    return {**found, "NLU_OPEN": "1"} if is_open else found


def _traces() -> "Traces":
    try:
        from handler.tracing import Traces
    except ModuleNotFoundError:
        raise SettingsError(
            f"--traces needs OpenTelemetry, which is not installed: {how_to_install('otel')}."
        ) from None
    return Traces()


def _end(number: int, _: object) -> None:
    """End the process as the signal would, but run what has to run before."""
    sys.exit(SIGNALED + number)


def _serve(options: argparse.Namespace) -> None:
    # numpy starts a thread pool for every core when it is imported. The graphs do not use it.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    import msgspec
    import uvicorn

    from handler.api import create_app
    from handler.hexabot import load_service
    from handler.logs import configure
    from handler.observers import observe, shadow_locations
    from handler.routes import Routes
    from handler.settings import Settings

    capture = {"NLU_CAPTURE": options.capture} if options.capture else {}
    settings = Settings.from_env(environ(options.bundles, is_open=options.open) | capture)
    configure(settings.log_level)
    service = load_service(settings)
    compared = None
    if options.compare:
        others = msgspec.structs.replace(settings, bundles=tuple(options.compare), base_path="", playground=False)
        compared = Routes(load_service(others), others)
    address = f"http://{options.host}:{options.port}{settings.base_path}"
    query = "" if settings.open else "?token=$TOKEN"
    print(
        f"{len(service.predictors)} models at {address}: {', '.join(service.predictors)}. Stop with Ctrl-C. Try:\n\n"
        f"  curl -F 'text=good morning!' '{address}/predict{query}'\n"
        + (f"\nOr open the playground: {address}/playground\n" if settings.playground else "")
        + (f"The API is described at {address}/docs\n" if settings.docs else ""),
        file=sys.stderr,
        flush=True,
    )
    observing = observe(service, settings, os.environ)
    traces = _traces() if options.traces else None
    if traces is not None:
        observing.observers.append(traces)
    if settings.capture:
        print(f"Unsure messages are stored in {settings.capture}; see docs/capture.md.", file=sys.stderr)
    for location in shadow_locations(settings):
        print(f"Shadows of {location} answer {100 * settings.shadow_sample:g} % of the requests too.", file=sys.stderr)
    routes = Routes(service, settings, observing.observers, compared, observing.exposition)
    app = create_app(routes, settings.cors_origins)
    # After uvicorn has stopped, it sends itself the signal again. By default, SIGTERM would then end this process at
    # once, and captured messages that wait for their batch would be lost.
    signal.signal(signal.SIGTERM, _end)
    try:
        uvicorn.run(app, host=options.host, port=options.port, log_config=None, access_log=False)
    finally:
        if observing.deferred is not None:
            observing.deferred.stop()
        if traces is not None:
            traces.stop()
