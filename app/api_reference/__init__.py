"""The reference of the API as files, derived from the document: Markdown, a Postman collection and `llms.txt`.

`make docs` writes them (`files.py`). Everything is read from the structure of the document, never from its wording.
"""
