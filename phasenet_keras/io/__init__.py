"""The outside world: the only code that knows bytes, formats and other programs' names."""
