"""Command-line entry points: thin, each hands a composed configuration to a plain function of the library."""
