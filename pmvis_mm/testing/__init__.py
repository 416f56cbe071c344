"""Helpers for tests, ours and a user's."""
