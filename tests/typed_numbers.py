"""Sentences of a Markdown text with numbers that somebody typed: not in code, links or formulas, and not answers to queries."""

import re

from dynode.experiments.claims import texts

NAMES = r"(Tables?|Figs?\.|Secs?\.|Eqs?\.|notebook) [\d., to]*\d|\d{4}-\d\d-\d\d|[Ii]saac3[Dd]|I3D|StyleGAN2s?|x 1e3|<!--.*?-->"
NO_PROSE = rf"```.*?```|`[^`]*`|\]\([^)]*\)|!\[[^]]*\]|\$[^$]*\$|{NAMES}"


def sentences_with_numbers(text: str) -> list[str]:
    """Every such sentence, or cell of a table, in the order of the text."""
    text, sentences = re.sub(NO_PROSE, "", texts.QUERY.sub("", text), flags=re.S), []
    for paragraph in re.split(r"\n\s*\n|\n(?=[-|] ?)", text):
        parts = re.split(r"(?<=[.;:])\s+", " ".join(paragraph.split()))
        sentences += [part for part in parts if re.search(r"\d", part)]
    return sentences
