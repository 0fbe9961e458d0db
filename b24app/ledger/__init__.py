"""The ledger. Every table is known once anything of it is imported: migrations and rotation of keys go through all."""

from b24app.ledger import access_models, models, place_models, portal_models

__all__ = ["access_models", "models", "place_models", "portal_models"]
