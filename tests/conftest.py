"""Tests read English, whatever language the system speaks; those of the languages choose theirs."""

import os

os.environ["LANGUAGE"] = "en"
