"""marshmallow schemas: from the domain's types to JSON and back."""
