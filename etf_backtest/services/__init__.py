"""Use cases: what people do with the parts, one a module."""
