"""The scope file as the gateway reads it: assistants, variants and what guards do."""

from service.scope.file import Assistant, Retention, Sampling, Scope, Strict, Variant, load_scope

__all__ = ["Assistant", "Retention", "Sampling", "Scope", "Strict", "Variant", "load_scope"]
