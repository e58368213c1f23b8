"""Run deferred work between two invocations on Lambda, as an internal extension.

Lambda sends the response when the handler returns, and freezes the instance once the runtime and all extensions ask for
the next event. An internal extension is a thread of this process that asks for it only when the deferred work is done.
So nobody waits for that work, and nothing interrupts it. AWS bills its time.

Source: the Lambda Extensions API, version 2020-01-01.
"""

import threading
from http.client import HTTPConnection, HTTPException

from handler.deferred import Deferred
from handler.errors import SettingsError
from handler.logs import log_failure

NAME = "ludwig-serverless"
PREFIX = "/2020-01-01/extension"


def register(address: str, deferred: Deferred) -> None:
    """Register an extension with Lambda, and start its thread. Lambda accepts it only before the first invocation.

    Args:
        address: Host and port of Lambda's runtime API, the value of AWS_LAMBDA_RUNTIME_API.
        deferred: The work to run after each invocation.

    Raises:
        SettingsError: Lambda refuses the extension.
    """
    connection = HTTPConnection(address)
    headers = {"Lambda-Extension-Name": NAME}
    connection.request("POST", f"{PREFIX}/register", body='{"events":["INVOKE"]}', headers=headers)
    response = connection.getresponse()
    found = response.read().decode(errors="replace")
    identifier = response.headers.get("Lambda-Extension-Identifier")
    if response.status != 200 or identifier is None:
        raise SettingsError(
            "Lambda does not accept the extension that works after responses: expected status 200 and an identifier, "
            f"found status {response.status} and {found!r}. Turn off capture and shadow models."
        )
    threading.Thread(target=_serve, args=(connection, identifier, deferred), name="deferred", daemon=True).start()


def _serve(connection: HTTPConnection, identifier: str, deferred: Deferred) -> None:
    """Wait for invocations for as long as the instance lives. Lambda waits for this thread after each of them."""
    while True:
        try:
            connection.request("GET", f"{PREFIX}/event/next", headers={"Lambda-Extension-Identifier": identifier})
            connection.getresponse().read()
        except (OSError, HTTPException) as error:  # the instance shuts down
            log_failure("extension ended", error)
            return
        deferred.run_after_invocation()
