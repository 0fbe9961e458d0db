"""The ledger. Every table is known once anything of it is imported: migrations and rotation of keys go through all."""

from b24app.ledger import models, portal_models

__all__ = ["models", "portal_models"]
