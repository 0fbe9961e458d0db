"""The portal's language: what it posts, how it is called, what its answers mean. Knows nothing of bookings."""
