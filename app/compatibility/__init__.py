"""Differences between two OpenAPI documents, as a client notices them: what breaks it, and what is new.

Documents are compared on the wire: by paths, methods, names of members and rules of values. Names of components, the
order of members, descriptions and examples do not matter, and a schema may be split into components or merged.
"""
