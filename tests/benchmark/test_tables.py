from jaxcnn.benchmark import tables
from jaxcnn.benchmark.accelerated import Acceleration
from jaxcnn.benchmark.timing import Ratio, Statistics
from tests.benchmark.test_report import make, pair

TORCH = {"torch": Statistics(0.123456, 0.1, 0.2, 7), "torch_ratio": Ratio(0.5, 0.4, 0.6)}


def rendered(table, *measurements):
    return tables.markdown(table, [measurement.to_dict() for measurement in measurements]).splitlines()


def test_a_layer_has_one_line():
    rows = [
        make("conv", 1.5, "forward"),
        make("conv", 4.0, "dx", default=pair(1.0, same=True)),
        make("conv", 3.0, **TORCH),
    ]
    assert rendered("ops", *rows, make("loss", 2.0, "dlogits")) == [
        "| layer | forward | dx | dkernel | all | all: manual ms | jax.grad ms | torch ms |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
        "| conv | 1.50 | 1.00 = |  | 3.00 | 2.00 | 6.00 | 0.123 |",
        "| loss |  | 2.00 |  |  |  |  |  |",
    ]


def test_a_network_has_times_compilation_and_memory():
    head, rule, line = rendered("models", make("LeNet", 1.5, "step", **TORCH))
    assert head.count("|") == rule.count("|") == line.count("|")
    assert line == "| LeNet, step | 2.00 | 3.00 | 1.50 | 2.00 | 6.00 | 3.00 | 0.123 | 0.500 | 1.25 | 3.15 | 0 |"
    assert rendered("models", make("LeNet", 1.5, "step", best=None))[2].startswith(
        "| LeNet, step | 2.00 | 3.00 | 1.50 |  |  |"
    )


def test_growth_is_told_by_element():
    lines = rendered("scaling", make("conv, batch 8", 1.5))
    assert lines[2] == "| conv, batch 8 | 2.00 | 3.00 | 1.50 | 2000 | 3000 |"


def test_an_acceleration_has_before_and_after():
    extra = {
        "flops_replaced": 0.9876,
        "tracing_seconds": {"manual": 0.3, "jax_grad": 0.175},
        "tracing_share": 0.25,
    }
    head, rule, line = rendered("accelerate", Acceleration(**vars(make("CNN", 1.5, "step")), **extra))
    assert head == (
        "| network | before ms | after ms | ratio | best options: before ms | after ms | ratio "
        "| FLOPs replaced | compile s: before | after | tracing s more |"
    )
    assert head.count("|") == rule.count("|") == line.count("|")
    assert line == "| CNN | 3.00 | 2.00 | 1.50 | 6.00 | 2.00 | 3.00 | 98.8% | 1.25 | 0.500 | 0.125 (25%) |"
    same = make("CNN", 1.0, "step", default=pair(1.0, same=True), best=None)
    assert rendered("accelerate", Acceleration(**vars(same), **extra))[2].startswith(
        "| CNN | 2.00 | 2.00 | 1.00 = |  |  |  | 98.8% |"
    )
