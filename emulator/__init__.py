"""A small Bitrix24 portal with its authorization server, for the demo and for tests.

It imports nothing of the application. Start reading at ``state.py`` (what is remembered), ``app.py`` (how it is
served) and ``rest.py`` (how a REST call is answered). What it answers follows the documentation of the platform.
"""
