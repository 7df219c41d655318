"""The commands of ``many-models``, a module each: what they ask for and what they print."""
