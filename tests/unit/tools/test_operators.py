"""docs/operators.md says what the provider takes now."""

from tools import operators


def test_page_is_up_to_date() -> None:
    assert operators.PAGE.read_text() == operators.page(), "run `./build.sh operators`"


def test_every_condition_is_told() -> None:
    silent = {
        operator.supports.__name__
        for _, operator in operators.registered()
        if not operator.supports.__doc__
    }
    assert not silent, "the page takes a condition's words from the docstring"


def test_kernels_follow_the_tables_of_a_lowering() -> None:
    lowerings = {op_type: operator.lower for (_, op_type), operator in operators.registered()}
    assert "CONVOLUTION" in operators.kernels(lowerings["Conv"], "Conv")
    assert operators.kernels(lowerings["Transpose"], "Transpose") == set()
