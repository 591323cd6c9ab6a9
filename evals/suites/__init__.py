"""Suites: each returns figures by id."""
