"""``mutations.py`` takes many minutes, so that it is run by hand: here, whether it still can be."""

import re

import pytest
from mutations import MUTATIONS, ROOT

FAULTS = [pytest.param(mutation, id=mutation.fault) for mutation in MUTATIONS]


@pytest.mark.parametrize("mutation", FAULTS)
def test_the_place_of_a_mutation_stands_in_the_code_once(mutation):
    text = (ROOT / "audiointerp" / mutation.file).read_text(encoding="utf-8")
    assert text.count(mutation.old) == 1
    assert mutation.new not in text


@pytest.mark.parametrize("mutation", FAULTS)
def test_the_tests_of_a_mutation_exist(mutation):
    for name in mutation.tests:
        file, test = name.split("::")
        text = (ROOT / "tests" / file).read_text(encoding="utf-8")
        assert re.search(rf"^def {test.partition('[')[0]}\(", text, re.M)
