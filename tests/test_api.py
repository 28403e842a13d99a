"""The shape of the public interface, kept by introspection."""

import ast
import importlib
import inspect
import pkgutil
import types
from pathlib import Path

import jax
import optax
import pytest

import jaxcnn
import jaxcnn.algorithms
from jaxcnn import ops, reference
from jaxcnn.benchmark.cases import ROWS
from jaxcnn.gradcheck.cases import CASES, cases_of

PACKAGE = Path(jaxcnn.__file__).parent
SECTIONS = ("Math:", "Args:", "Returns:", "Gradient:", "Raises:", "Example:", "References:")


def public(module):
    return sorted(
        name for name, value in vars(module).items() if isinstance(value, types.FunctionType) and name[0] != "_"
    )


OPS = public(ops)
TRANSFORMS = ["accelerate", "explain", "without_custom_rules"]
FAMILIES = {
    "convolution": [
        "conv", "conv_general_dilated", "conv_local", "conv_transpose", "depthwise_conv", "separable_conv",
        "weight_standardized_conv",
    ],
    "linear": ["bias_add", "dense"],
    "pooling": [
        "adaptive_avg_pool",
        "adaptive_max_pool",
        "adaptive_max_pool_with_indices",
        "avg_pool",
        "global_avg_pool",
        "global_max_pool",
        "lp_pool",
        "max_pool",
        "max_pool_with_indices",
        "max_unpool",
        "min_pool",
        "sum_pool",
    ],
    "norms": [
        "batch_norm",
        "group_norm",
        "instance_norm",
        "layer_norm",
        "local_response_norm",
        "rms_norm",
        "running_statistics",
        "weight_standardization",
    ],
    "activations": ["leaky_relu", "prelu", "relu", "relu6"],
    "hard activations": ["hard_sigmoid", "hard_silu", "hard_tanh", "sparse_plus", "sparse_sigmoid"],
    "exponential activations": ["celu", "elu", "selu"],
    "smooth activations": ["log_sigmoid", "sigmoid", "soft_sign", "softplus", "squareplus", "tanh"],
    "gated activations": ["gelu", "glu", "mish", "silu"],
    "probabilities": ["log_softmax", "softmax"],
    "losses": [
        "absolute_error", "cosine_distance", "cosine_similarity", "hinge_loss", "huber_loss", "kl_divergence", "l2_loss",
        "log_cosh", "sigmoid_binary_cross_entropy", "sigmoid_focal_loss", "softmax_cross_entropy",
        "softmax_cross_entropy_with_integer_labels", "squared_error",
    ],
    "rearrange": ["depth_to_space", "flatten", "space_to_depth"],
    "padding": ["pad"],
    "unfolding": ["fold", "unfold"],
    "resampling": ["upsample_linear", "upsample_nearest"],
    "regularization": ["dropout", "spatial_dropout", "stochastic_depth"],
    "attention": ["squeeze_excite"],
}  # fmt: skip


def test_the_public_ops():
    assert sorted(name for family in FAMILIES.values() for name in family) == OPS
    assert public(jaxcnn) == sorted([*OPS, *TRANSFORMS])
    assert public(reference) == OPS
    assert all(getattr(jaxcnn, name) is getattr(ops, name) for name in OPS)


@pytest.mark.parametrize("name", OPS)
def test_the_reference_has_the_same_signature(name):
    def plain(fn):
        return [(p.name, p.kind, p.default) for p in inspect.signature(fn).parameters.values()]

    assert plain(getattr(reference, name)) == plain(getattr(ops, name))


@pytest.mark.parametrize("name", OPS)
def test_the_docstring_has_every_section_in_order(name):
    fn = getattr(ops, name)
    doc = inspect.getdoc(fn)
    first = doc.splitlines()[0]
    assert first.endswith(".")
    assert first[0].isupper()
    places = [doc.find(f"\n{section}\n") for section in SECTIONS]
    assert min(places) > 0, f"missing: {SECTIONS[places.index(min(places))]}"
    assert places == sorted(places)
    arguments = doc[places[1] : places[2]]
    for parameter in inspect.signature(fn).parameters:
        assert f"\n  {parameter}:" in arguments
    assert "VJP" in doc
    assert ">>> " in doc


@pytest.mark.parametrize("name", OPS)
def test_every_op_has_cases(name):
    assert {case.op for case in cases_of(name)} == {name}


@pytest.mark.parametrize("row", [row for row in ROWS if row.op in ops.__dict__], ids=lambda row: row.name)
def test_a_call_is_one_equation(row):
    """Where no axis must be merged, nothing runs beside the compiled op: an eager call would pay for each by itself."""
    call = jax.make_jaxpr(row.function(ops))(*row.shrunk().arrays())
    parts = 2 if row.op in ("separable_conv", "weight_standardized_conv") else 1  # one rule after the other
    assert [equation.primitive.name for equation in call.eqns] == ["jit"] * parts


def test_every_case_is_of_a_public_op_and_has_its_own_name():
    assert {case.op for case in CASES} == set(OPS)
    assert len({case.name for case in CASES}) == len(CASES)
    with pytest.raises(ValueError, match=r"op \(='convolve'\) must be one of"):
        cases_of("convolve")


PEERS = [
    *((getattr(jax.nn, n), n) for n in OPS if hasattr(jax.nn, n)),
    *((getattr(optax, n), n) for n in FAMILIES["losses"] if hasattr(optax, n)),
]


@pytest.mark.parametrize(("peer", "name"), PEERS, ids=[name for _, name in PEERS])
def test_arguments_are_the_peers_in_its_order(peer, name):
    mine = list(inspect.signature(getattr(ops, name)).parameters.values())
    theirs = list(inspect.signature(peer).parameters.values())
    shared, added = mine[: len(theirs)], mine[len(theirs) :]
    assert [p.name for p in shared] == [p.name for p in theirs]
    assert [p.default for p in shared] == [p.default for p in theirs]
    assert all(p.kind is p.KEYWORD_ONLY for p in added)
    assert all(
        p.kind is not p.KEYWORD_ONLY for p, q in zip(shared, theirs, strict=True) if q.kind is not q.KEYWORD_ONLY
    )


def test_arguments_of_windowed_ops_are_those_of_flax():
    flax = {
        "max_pool": ["window_shape", "strides", "padding"],
        "min_pool": ["window_shape", "strides", "padding"],
        "avg_pool": ["window_shape", "strides", "padding", "count_include_pad"],
    }
    for name, expected in flax.items():
        parameters = list(inspect.signature(getattr(ops, name)).parameters.values())[1:]
        assert [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD] == expected
        assert all(p.kind is p.KEYWORD_ONLY for p in parameters[len(expected) :])
    parameters = inspect.signature(ops.conv).parameters
    of_flax = ["strides", "padding", "input_dilation", "kernel_dilation", "feature_group_count", "precision"]
    assert list(parameters) == [
        "x",
        "kernel",
        "bias",
        *of_flax[:-1],
        "dimension_numbers",
        "precision",
        "preferred_element_type",
    ]
    assert all(p.kind is p.KEYWORD_ONLY for p in list(parameters.values())[3:])


def modules(package):
    return [importlib.import_module(f"{package.__name__}.{m.name}") for m in pkgutil.iter_modules(package.__path__)]


@pytest.mark.parametrize("module", modules(ops), ids=lambda m: m.__name__)
def test_no_module_is_named_like_a_public_function(module):
    assert module.__name__.rsplit(".", 1)[1] not in OPS


AUTODIFF = {
    "grad", "value_and_grad", "vjp", "jvp", "jacfwd", "jacrev", "jacobian", "hessian", "linearize", "linear_transpose",
}  # fmt: skip

# The derivatives of a part, which are the second order of a layer, are those of another function: JAX is asked for them.
HANDED_ON = {"jaxcnn.algorithms._derivatives": {"jvp"}}


def mentioned(tree):
    """Return every name, attribute and imported name of a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.ImportFrom | ast.Import):
            yield from (alias.name for alias in node.names)
            yield getattr(node, "module", None) or ""


@pytest.mark.parametrize("module", [*modules(ops), *modules(jaxcnn.algorithms)], ids=lambda m: m.__name__)
def test_rules_are_derived_not_differentiated(module):
    names = set(mentioned(ast.parse(inspect.getsource(module))))
    assert names & AUTODIFF == HANDED_ON.get(module.__name__, set())
    assert not any(name.startswith("jax._src") or "transpose_rule" in name for name in names)


@pytest.mark.parametrize("module", modules(jaxcnn.algorithms), ids=lambda m: m.__name__)
def test_algorithms_hold_no_rules(module):
    assert "custom_vjp" not in set(mentioned(ast.parse(inspect.getsource(module))))


LAYERS = ("algorithms", "ops", "reference", "gradcheck", "transforms", "models", "training", "data", "benchmark")
MAY_IMPORT = {
    "algorithms": {"algorithms", "ops._window", "ops._dtypes"},
    "ops": {"ops", "algorithms"},
    "reference": {"reference", "ops"},
    "transforms": {"transforms", "ops", "algorithms"},
    "data": {"data"},
    "models": {"models", "ops"},
}


@pytest.mark.parametrize("layer", MAY_IMPORT)
def test_imports_run_one_way(layer):
    for path in (PACKAGE / layer).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            imported = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            imported += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in imported:
                inside = name.removeprefix("jaxcnn.") if name.startswith("jaxcnn.") else None
                if inside and inside.split(".")[0] in LAYERS:
                    assert inside in MAY_IMPORT[layer] or inside.split(".")[0] in MAY_IMPORT[layer], f"{path}: {name}"


def test_files_are_short_enough_to_read():
    lengths = {path.relative_to(PACKAGE): len(path.read_text().splitlines()) for path in PACKAGE.rglob("*.py")}
    assert {path: n for path, n in lengths.items() if n > 300} == {}
