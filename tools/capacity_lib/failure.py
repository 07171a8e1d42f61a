"""A failure that the user is told about in one line."""


class Failure(Exception):
    """The text says what is wrong and, where that is known, what to do about it."""
