"""The parts of the chat that know nothing of the library that shows it."""
