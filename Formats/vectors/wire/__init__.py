"""The wire protocol as its page says it (`../wire-protocol.md`), for `generate_wire.py`."""
