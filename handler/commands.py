"""The handler's entries in the command table; see `handler.command_line.Command` for the fields."""

from handler.command_line import Command

GROUP = "Serve"
COMMANDS = {
    "serve": Command("run the HTTP service on this machine, as Lambda does on AWS", GROUP, "handler.serve_command:add"),
    "ask": Command("answer texts in the terminal", GROUP, "handler.local_commands:add_ask"),
    "check": Command(
        "check that bundles still answer as they did when exported", GROUP, "handler.local_commands:add_check"
    ),
    "promote": Command("make a shadow bundle live, or undo it", GROUP, "handler.promote_command:add"),
    "doctor": Command("show where the time of a cold start goes", GROUP, "handler.local_commands:add_doctor"),
    "token": Command(
        "create a token for Hexabot and its digest for the service", GROUP, "handler.local_commands:add_token"
    ),
}
