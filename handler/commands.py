"""The handler's entries in the command table; see `handler.command_line.Command` for the fields."""

from handler.command_line import Command

GROUP = "Serve"
COMMANDS = {
    "serve": Command("answer HTTP on this machine, as the Lambda does on AWS", GROUP, "handler.serve_command:add"),
    "ask": Command("answer texts on the terminal", GROUP, "handler.local_commands:add_ask"),
    "check": Command(
        "prove bundles again, on the rows they were exported with", GROUP, "handler.local_commands:add_check"
    ),
    "doctor": Command("show where the time of a start goes", GROUP, "handler.local_commands:add_doctor"),
    "token": Command(
        "make a token for Hexabot, and its digest for the service", GROUP, "handler.local_commands:add_token"
    ),
}
