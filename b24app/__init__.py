"""Booking of rooms, things and people inside Bitrix24. `b24app.app` wires it; importing a room imports only that."""
