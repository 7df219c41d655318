"""The results pages: what readers of a browser see of the result store. Nothing here writes."""
