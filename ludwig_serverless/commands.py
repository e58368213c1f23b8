"""Commands that belong to no other package; `handler.command_line` says what each field is."""

from handler.command_line import Command

COMMANDS = {
    "cost": Command("compare what a month costs on AWS", "Serve", "ludwig_serverless.cost.command:add"),
    "completion": Command("print a script for completion in a shell", "Shell", "ludwig_serverless.completion:add"),
}
