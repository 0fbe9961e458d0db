"""The application with lock and constraint taken away, to show that the race test can fail.

The constraint is dropped by the test, in its own database; here the row lock is taken out of every statement.
"""

from __future__ import annotations

from sqlalchemy import event

from b24app.app import create_app
from tests.prove.mixed import without_lock

app = create_app()
event.listen(app.extensions["b24"].engine, "before_cursor_execute", without_lock, retval=True)
