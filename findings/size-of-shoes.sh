#!/usr/bin/env bash
# Package: symspellpy 6.10.1 (spelling correction, with the English dictionaries that it brings).
#
# Behaviour: `lookup_compound`, which corrects a whole query, takes numbers, sizes and units for misspelled words and puts the most frequent
# word in their place that is two letters away, which for a text of two characters is any. `word_segmentation` does so as well. A point or a
# hyphen goes. `ignore_non_words=True` keeps plain numbers, and not those with letters.
#
# Seen: queries that are spelled rightly but for one, and what they become.
#
#     query                 lookup_compound        with ignore_non_words=True
#     size 42 shoes         size of shoes          size 42 shoes
#     5.5 inch screen       a a inch screen        5 5 inch screen
#     m8 x 40 bolt          max of bolt            max 40 bolt
#     12v charger           nov charger            nov charger
#     tshirt xl black       shirt al black         shirt al black
#     4k monitor 27 inch    of monitor of inch     of monitor 27 inch
#     red mugg 350 ml       red mug of a my        red mug 350 my
#
# Why guesses are wrong: one expects of a spelling correction that it leaves alone what has digits, as `lookup` for a word can be made to,
# or that it puts them back. Its examples are sentences without any. What is left is spelled rightly, all words are in the dictionary, and
# nothing says that a number was there. A shop that corrects queries before it searches finds shoes of all sizes, a "max bolt", and a charger
# of November, and the customer sees results for another query. With `ignore_term_with_digits=True` beside the other, `12v` and `4k` stay.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check symspellpy==6.10.1
cd "$work"
venv/bin/python - <<'PY'
import sys
from importlib.resources import files

from symspellpy import SymSpell

SEEN = {
    "size 42 shoes": ("size of shoes", "size 42 shoes", "size 42 shoes"),
    "5.5 inch screen": ("a a inch screen", "5 5 inch screen", "5 5 inch screen"),
    "m8 x 40 bolt": ("max of bolt", "max 40 bolt", "m8 a 40 bolt"),
    "12v charger": ("nov charger", "nov charger", "12v charger"),
    "tshirt xl black": ("shirt al black", "shirt al black", "shirt al black"),
    "4k monitor 27 inch": ("of monitor of inch", "of monitor 27 inch", "4k monitor 27 inch"),
    "red mugg 350 ml": ("red mug of a my", "red mug 350 my", "red mug 350 my"),
}
OPTIONS = ({}, {"ignore_non_words": True}, {"ignore_non_words": True, "ignore_term_with_digits": True})

speller = SymSpell()
dictionaries = files("symspellpy")
speller.load_dictionary(str(dictionaries / "frequency_dictionary_en_82_765.txt"), 0, 1)
speller.load_bigram_dictionary(str(dictionaries / "frequency_bigramdictionary_en_243_342.txt"), 0, 2)
is_as_seen = speller.word_segmentation("size 42 shoes").corrected_string == "size of shoes"
for query, seen in SEEN.items():
    found = tuple(speller.lookup_compound(query, 2, **options)[0].term for options in OPTIONS)
    print("".join(f"{text:<22}" for text in (query, *found)))
    is_as_seen &= found == seen
sys.exit(0 if is_as_seen else "it behaves in another way now")
PY
