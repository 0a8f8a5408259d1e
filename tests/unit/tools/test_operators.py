"""docs/operators.md says what the provider takes now."""

from tools import operators


def test_page_is_up_to_date() -> None:
    assert operators.PAGE.read_text() == operators.page(), "run `./build.sh operators`"


def test_kernels_follow_the_tables_of_a_lowering() -> None:
    lowerings = {op_type: operator.lower for (_, op_type), operator in operators.registered()}
    assert "CONVOLUTION" in operators.kernels(lowerings["Conv"], "Conv")
    assert operators.kernels(lowerings["Transpose"], "Transpose") == set()
