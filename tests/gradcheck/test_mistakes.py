"""Every realistic mistake is found, and named rightly or not at all; also where it is small beside a large gradient."""

import re

import jax
import jax.numpy as jnp
import pytest

from jaxcnn.gradcheck import compare
from jaxcnn.gradcheck.diagnosis import UNKNOWN
from tests.gradcheck.mistakes import MISTAKES


@pytest.fixture(autouse=True)
def promotion():
    """Promote as JAX does by default: the rules here are written as people write them."""
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        yield


BY_NAME = {mistake.name: mistake for mistake in MISTAKES}
EACH = pytest.mark.parametrize("mistake", MISTAKES, ids=list(BY_NAME))


@EACH
def test_a_mistake_is_found_and_named_rightly_or_not_at_all(mistake):
    report = compare(mistake.wrong, mistake.value, *mistake.args, argnums=mistake.argnums, jit=True)
    assert not report.ok, f"{mistake.name} passes\n{report}"
    paths = {f"args[{n}]" for n in mistake.off or mistake.argnums} | ({"g of output"} if not mistake.off else set())
    assert {row.path for row in report.bad} <= paths, report
    names = {row.diagnosis for row in report.bad if UNKNOWN not in row.diagnosis} - {""}
    assert names if mistake.named else not names, report
    for name in names:
        assert re.search(mistake.named, name), report


def test_most_mistakes_are_named():
    assert len(MISTAKES) >= 24
    assert sum(mistake.named is not None for mistake in MISTAKES) >= 0.9 * len(MISTAKES)


@pytest.mark.parametrize(
    "mistake",
    [
        pytest.param(mistake, id=mistake.name, marks=[pytest.mark.full] if n % 6 else [])
        for n, mistake in enumerate(MISTAKES)
    ],
)
def test_a_mistake_of_a_size_of_1e_8_beside_a_large_gradient_is_found(mistake):
    """Twice: beside the gradient of another array, and with no difference but in the small one."""

    def beside(fn):
        return lambda large, *args: (3 * large, jax.tree.map(lambda y: 1e-8 * y, fn(*args)))

    large = jnp.linspace(-2, 2, 5)
    args, argnums = (large, *mistake.args), range(len(mistake.args) + 1)
    report = compare(beside(mistake.wrong), beside(mistake.value), *args, argnums=argnums, jit=True)
    assert not report.ok, f"{mistake.name} passes\n{report}"
    assert "large" not in {row.path for row in report.bad}, report


@pytest.mark.parametrize("name", ["kernel not turned for dx", "ties to every maximum", "layer norm, mean forgotten"])
def test_the_right_rule_of_the_same_function_agrees(name):
    """What is found above is the mistake, not the way in which it is made."""
    mistake = BY_NAME[name]._replace(backward=lambda g, *args, right: tuple(right(g)))
    report = compare(mistake.wrong, mistake.value, *mistake.args, argnums=mistake.argnums, jit=True)
    assert report.ok, report
