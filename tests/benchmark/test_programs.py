import jax
import jax.numpy as jnp
import pytest

import jaxcnn
from jaxcnn.benchmark import programs
from jaxcnn.training import compiler_options


def text_of(function, *args):
    return jax.jit(function).lower(*args).compile().as_text()


def test_names_and_source_lines_do_not_matter_but_operations_do():
    x = jnp.ones((4, 8))

    def one(x):
        return jnp.sum(jnp.sin(x) * 2.0, 0)

    @jax.jit
    def inner(the_input):
        with jax.named_scope("elsewhere"):
            return jnp.sin(the_input)

    def another(operand):
        return jnp.sum(inner(operand) * 2.0, 0)

    assert programs.digest(text_of(one, x)) == programs.digest(text_of(another, x))
    assert programs.digest(text_of(one, x)) != programs.digest(text_of(lambda x: jnp.sum(jnp.sin(x) * 3.0, 0), x))
    assert programs.digest(text_of(one, x)) != programs.digest(text_of(one, jnp.ones((4, 9))))


def test_the_order_of_the_lines_does_not_matter():
    module = """HloModule jit_f
%fused (p.1: f32[2]) -> f32[2] {{
  %p.1 = f32[2]{{0}} parameter(0), metadata={{op_name="a{{b" stack_frame_id=3}}
  ROOT %neg.7 = f32[2]{{0}} negate(%p.1)
}}

ENTRY %main.3 (x.1: f32[2]) -> f32[2] {{
  %x.1 = f32[2]{{0}} parameter(0)
{0}
  ROOT %sum = f32[2]{{0}} subtract(%one, %two)
}}
"""
    one, two = "  %one = f32[2]{0} fusion(%x.1), calls=%fused", "  %two = f32[2]{0} sine(%x.1)"
    expected = programs.digest(module.format(f"{one}\n{two}"))
    assert programs.digest(module.format(f"{two}\n{one}")) == expected
    assert programs.digest(module.format(f"{two}\n{one}").replace("%p.1", "%q.2").replace("op_name", "o")) == expected
    assert programs.digest(module.format(f"{one}\n{two}").replace("negate", "cosine")) != expected
    assert programs.digest(module.format(f"{one}\n{two}").replace("(%one, %two)", "(%two, %one)")) != expected


def test_what_has_no_entry_is_hashed_as_it_is():
    assert programs.digest("one") != programs.digest("two")


def test_the_default_comes_first_and_every_candidate_compiles():
    options = programs.candidates()
    assert next(iter(options.items())) == (programs.DEFAULT, {})
    compiled = programs.compile_under(lambda x: x @ x, [jnp.ones((4, 4))], options)
    assert list(compiled) == list(options)
    for program in compiled.values():
        assert program.call(jnp.eye(4)).tolist() == jnp.eye(4).tolist()
        assert program.compile_seconds > 0


@pytest.fixture
def probe_again():
    """Let nothing that a test changes outlast it."""
    for cached in (programs.candidates, compiler_options._is_known):
        cached.cache_clear()
    yield
    for cached in (programs.candidates, compiler_options._is_known):
        cached.cache_clear()


@pytest.mark.usefixtures("probe_again")
def test_an_option_that_xla_refuses_is_left_out(monkeypatch):
    monkeypatch.setattr(compiler_options, "_OPTION", "xla_no_such_option")
    assert programs.candidates() == {programs.DEFAULT: {}}


@pytest.mark.usefixtures("probe_again")
@pytest.mark.parametrize("backend", ["gpu", "tpu"])
def test_other_platforms_have_the_default_only(monkeypatch, backend):
    monkeypatch.setattr(jax, "default_backend", lambda: backend)
    assert programs.candidates() == {programs.DEFAULT: {}}


def test_temporary_memory_is_that_of_the_compiled_program():
    def padded_sum(x):
        return jnp.sum(jnp.sort(x) * x[::-1])

    (program,) = programs.compile_under(padded_sum, [jnp.ones(1000)], {programs.DEFAULT: {}}).values()
    assert program.temp_bytes >= 4000


def test_a_flattened_array_is_the_same_program_on_both_sides():
    x = jnp.ones((2, 4, 4, 3))
    assert programs.digest(text_of(jaxcnn.flatten, x)) == programs.digest(text_of(jaxcnn.reference.flatten, x))


def test_tracing_is_timed_in_turns_from_cold_caches():
    traced = []

    def function(name):
        def traceable(x):
            traced.append(name)
            return jnp.sin(x)

        return traceable

    seconds = programs.tracing_seconds({"a": function("a"), "b": function("b")}, [jnp.ones(3)], repeats=2)
    assert traced == ["a", "b", "a", "b"]
    assert set(seconds) == {"a", "b"}
    assert min(seconds.values()) > 0
