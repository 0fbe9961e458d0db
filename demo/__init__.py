"""A fictional company for the demo, written through the application's own use cases."""
