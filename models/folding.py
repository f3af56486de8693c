"""The folding of texts for search, the same for what is stored and what is searched for (contract, section 3)."""

import re
import unicodedata

FIELD_SEPARATOR = "\x1f"
DOTLESS_I = "\N{LATIN SMALL LETTER DOTLESS I}"
DOTTED_I = re.compile("i\N{COMBINING DOT ABOVE}+")


def searchable(*texts: str | None) -> str:
    """Fold texts so that a plain substring match ignores case in every script.

    Databases handle case beyond ASCII differently; Unicode defines it. A change to the folding does not need a
    revision: every `distribu db upgrade` refolds the stored rows.
    """
    joined = FIELD_SEPARATOR.join(text.replace(FIELD_SEPARATOR, " ") for text in texts if text)
    return joined.lower() if joined.isascii() else _folded(joined)


def _folded(text: str) -> str:
    """Fold as a compatibility caseless match does (Unicode Standard, section 3.13, D146), then compose.

    So ß equals ss, ligatures and full-width letters equal plain ones, and a no-break space is a space. Accents are
    significant. The dotted and the dotless i of Turkish are both i, because the meaning of a capital I depends on the
    language.
    """
    once = unicodedata.normalize("NFKD", unicodedata.normalize("NFD", text).casefold())
    twice = unicodedata.normalize("NFKD", once.casefold()).replace(DOTLESS_I, "i")
    return unicodedata.normalize("NFKC", DOTTED_I.sub("i", twice))
