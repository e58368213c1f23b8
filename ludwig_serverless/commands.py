"""The entries of this package in the command table; see `handler.command_line.Command` for the fields."""

from handler.command_line import Command

COMMANDS = {
    "batch": Command("answer tables of any size", "Serve", "ludwig_serverless.batch.command:add", "batch"),
    "cost": Command("compare monthly costs on AWS", "Serve", "ludwig_serverless.cost.command:add"),
    "completion": Command("print a shell completion script", "Shell", "ludwig_serverless.completion:add"),
}
