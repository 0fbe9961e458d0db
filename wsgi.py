"""The WSGI entry point: `gunicorn wsgi:app`."""

from b24app.app import create_app

app = create_app()
