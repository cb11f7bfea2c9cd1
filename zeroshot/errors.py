"""The ways an experiment can end early that are not defects; the command line turns each into its exit code."""


class UserError(Exception):
    """The user's input is wrong (exit code 2). One line: what was given, what is allowed, how to mend it."""


class EnvironmentFailure(Exception):
    """The surroundings failed: disk, lock, damaged or missing weights (exit code 3). One line that names the path."""


class Interrupted(Exception):
    """The work was asked to stop (exit code 130 or 143); everything finished so far is on disk at the path it names."""
