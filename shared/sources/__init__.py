"""Adapters that read counts from one vendor each, behind the protocol in `shared.sources.protocol`."""
