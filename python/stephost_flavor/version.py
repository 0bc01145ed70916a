VERSION = "0.1.0"
"""Of this package; part of GetMetadata."""
