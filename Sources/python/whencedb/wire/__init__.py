"""The wire protocol without any input or output: frames, messages and columns (`Formats/wire-protocol.md`)."""
