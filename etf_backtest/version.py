"""The version of this package; stored with every result."""

VERSION = "0.1.0"
