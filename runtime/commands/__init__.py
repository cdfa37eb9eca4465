"""The subcommands of `locator`: each module has `register(subparsers)`."""
