"""scripts/walkthrough.py: its numbers against those worked out by hand, its options, its errors, its exit status.

The numbers stand in tests/walkthrough/*.txt, in the order in which the script prints them; the columns of both sides
must show them.
"""

import importlib.util
import re
import runpy
import sys
from pathlib import Path

import jax
import pytest

import jaxcnn.ops

TESTS = Path(__file__).parent
SCRIPT = TESTS.parent / "scripts" / "walkthrough.py"
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")
SECTION = re.compile(r"GIVEN|FORWARD|BACKWARD, [a-z]+ [a-z]+|UPDATE, [a-z]+ [a-z]+|CHECK")
PRINTED = {"rel": 5.2e-5, "abs": 1e-7}  # half a unit of the fifth digit, the last one that is printed

IMAGE = "--image=[[0, 1, 3, 1], [2, 1, 0, 1], [1, 0, 1, 0], [2, 1, 0, 1]]"
KERNEL = "--kernel=[[2, 0], [-1, 0.5]]"
ARGUMENTS = {"default_image": [], "other_image": [IMAGE, KERNEL, "--target=0", "--learning-rate=0.5"]}


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("walkthrough", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, spec.name, module)  # where the text of --help is looked for
        spec.loader.exec_module(module)
        yield module


@pytest.fixture
def walk(script, capsys):
    """Run the script in this process: `status, output = walk(*arguments)`."""

    def run(*arguments):
        status = script.main(arguments)
        return status, capsys.readouterr().out

    return run


def read_output(output):
    """The tables of each section, {"layer label": rows of one list of numbers a column}, and its sentences."""
    sections, layer, label = {}, "", ""
    for line in filter(str.strip, output.splitlines()):
        if heading := SECTION.match(line):
            tables, sentences = sections[heading[0]] = {}, []
            layer = ""
        elif not line.startswith(" "):
            layer = line.partition(":")[0] + " " if ":" in line else ""
        elif "GIVEN" in sections and ("|" in line or len(sections) == 1):
            label = line[:30].strip() or label
            columns = [[float(number) for number in NUMBER.findall(column)] for column in line[30:].split("|")]
            tables.setdefault(layer + label, []).append(columns)
        elif NUMBER.search(line):
            sentences.append(line.strip())
    del sections["CHECK"]
    return sections


def read_expected(name):
    """The same for a file of numbers worked out by hand, with one list of numbers a row."""
    sections = {}
    for line in (TESTS / "walkthrough" / f"{name}.txt").read_text().splitlines():
        text = line.partition("#")[0].strip()
        if SECTION.fullmatch(text):
            tables, sentences = sections[text] = {}, []
        elif " : " in text:
            label, _, rows = text.partition(" : ")
            tables[label] = [[float(number) for number in row.split()] for row in rows.split("/")]
        elif text:
            sentences.append(text)
    return sections


@pytest.mark.parametrize("name", ARGUMENTS)
def test_every_printed_number_is_the_one_worked_out_by_hand(walk, name):
    status, output = walk(*ARGUMENTS[name])
    printed, by_hand = read_output(output), read_expected(name)
    assert status == 0
    assert list(printed) == list(by_hand)
    for section, (tables, sentences) in by_hand.items():
        printed_tables, printed_sentences = printed[section]
        printed_tables.pop("weight", None)  # the headings of the columns of an update
        assert list(printed_tables) == list(tables)
        for label, rows in tables.items():
            for columns, row in zip(printed_tables[label], rows, strict=True):
                updated = section.startswith("UPDATE") and len(row) == 3  # the old weight stands on the left only
                sides = [row] if section == "GIVEN" else [row, row[1:] if updated else row]
                for numbers, side in zip(columns, sides, strict=True):
                    assert numbers == pytest.approx(side, **PRINTED), (section, label)
        for sentence, expected in zip(printed_sentences, sentences, strict=True):
            assert NUMBER.sub("#", sentence) == NUMBER.sub("#", expected)
            numbers, others = ([float(n) for n in NUMBER.findall(text)] for text in (sentence, expected))
            assert numbers == pytest.approx(others, **PRINTED), (section, sentence)


def test_the_first_position_is_written_out(walk):
    lines = [line.strip() for line in walk()[1].splitlines()]
    assert "net = 1*1 + 0*(-1) + 1*1 + 1*(-1) = 1" in lines
    assert "out = relu(1) = 1" in lines
    assert max(map(len, lines)) < 100


def unchanged(before, after):
    """What has the same numbers in both outputs, the weights of an update as one."""
    same = set()
    for section, (tables, _) in before.items():
        weights = [label for label in tables if "[" in label]
        groups = {label: [label] for label in tables if label not in weights} | {"weights": weights}
        for group, labels in groups.items():
            if labels and all(tables[label] == after[section][0][label] for label in labels):
                same.add((section, group))
    return {(section, group) for section, group in same if section != "GIVEN" and group != "weight"}


def test_another_image_changes_every_block_of_numbers(walk):
    assert unchanged(read_output(walk()[1]), read_output(walk(IMAGE)[1])) == set()


def test_another_kernel_changes_every_block_but_the_maps_of_the_other_kernel(walk):
    same = unchanged(read_output(walk()[1]), read_output(walk(KERNEL)[1]))
    assert {group for _, group in same} == {
        "conv1 net, map 2",
        "relu out, map 2",
        "pool pooled, map 2",
        "conv1 mask, map 2",
    }


@pytest.mark.parametrize(("loss", "other"), [("squared_error", "cross_entropy"), ("cross_entropy", "squared_error")])
def test_one_loss_alone(walk, loss, other):
    status, output = walk(f"--loss={loss}")
    assert status == 0
    assert f"BACKWARD, {loss.replace('_', ' ')}" in output
    assert other not in output
    assert other.replace("_", " ") not in output


def test_a_tie_goes_to_the_first_and_a_zero_does_not_pass_relu(walk):
    status, output = walk("--image=" + str([[0] * 4] * 4))
    assert status == 0
    assert "map 1: the winner is 0 at (0, 0), the first of 4 equal" in output
    tables, _ = read_output(output)["BACKWARD, squared error"]
    assert tables["conv1 error, map 1"] == [[[0, 0, 0]] * 2] * 3
    assert tables["relu error, map 1"][0][0][0] != 0


def test_a_probability_too_small_to_divide_by(walk):
    status, output = walk("--image=[[0, 0, 0, 0], [255, 0, 0, 0], [0, 255, 0, 0], [0, 0, 0, 0]]")
    tables, _ = read_output(output)["BACKWARD, cross entropy"]
    assert status == 0
    assert "softmax: error = dL/dp = -onehot / p, left out: L > 80" in output
    assert tables["dense1 error"] == [[[1, -1], [1, -1]]]


def test_as_a_program(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), "--loss=squared_error"])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(SCRIPT), run_name="__main__")
    assert end.value.code == 0
    assert capsys.readouterr().out.count("agree") == 2


def off_by_one_percent(op):
    """Return an op with the right value and cotangents of 1.01 times the right ones."""

    @jax.custom_vjp
    def same(y):
        return y

    same.defvjp(lambda y: (y, None), lambda _, g: (1.01 * g,))
    return lambda *args, **options: same(op(*args, **options))


WRONG_RULES = ["conv", "relu", "max_pool", "flatten", "dense", "softmax", "squared_error", "softmax_cross_entropy"]


@pytest.mark.parametrize("name", WRONG_RULES)
def test_a_wrong_rule_is_an_exit_status(walk, monkeypatch, name):
    monkeypatch.setattr(jaxcnn.ops, name, off_by_one_percent(getattr(jaxcnn.ops, name)))
    status, output = walk()
    assert status == 1
    assert "DISAGREE" in output


def test_a_wrong_value_is_an_exit_status(walk, monkeypatch):
    right = jaxcnn.ops.dense
    monkeypatch.setattr(jaxcnn.ops, "dense", lambda *args, **options: right(*args, **options) + 0.001)
    status, output = walk()
    assert status == 1
    assert re.search(r"DISAGREE by 0.\d+, most of all at \S+", output)


SQUARE = r"must be 4 rows of 4 numbers in JSON, such as \[\[0, 0, 0, 0\], .*\]$"


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--image=1 0 1", rf"--image \(=1 0 1\) {SQUARE}"),
        ("--image=", rf"--image \(=\) {SQUARE}"),
        ("--image=[[1, 0], [1, 1]]", rf"--image \(=\[\[1, 0\], \[1, 1\]\]\) {SQUARE}"),
        ("--image=[[1, 2, 3, 4], [1, 2, 3], [1, 2, 3, 4], 5]", SQUARE),
        pytest.param("--image=" + "[" * 100_000, SQUARE, id="too deep for the parser"),
        ('--image={"a": 1}', SQUARE),
        ("--image=" + str([[0] * 4] * 3 + [[0, 0, 0, 1001]]), r"--image\[3\]\[3\] \(=1001\) .* from -1000 to 1000$"),
        ("--kernel=[[1, -1], [1]]", r"--kernel \(=\[\[1, -1\], \[1\]\]\) must be 2 rows of 2 numbers in JSON"),
        ("--kernel=[[1, NaN], [1, 1]]", r"--kernel\[0\]\[1\] \(=NaN\) must be a number from -1000 to 1000$"),
        ("--kernel=[[1, 1], [-1e999, 1]]", r"--kernel\[1\]\[0\] \(=-Infinity\) must be a number from -1000 to 1000$"),
        ("--kernel=[[1, true], [1, 1]]", r"--kernel\[0\]\[1\] \(=true\) must be a number"),
        ('--kernel=[[1, 1], [1, "2"]]', r'--kernel\[1\]\[1\] \(="2"\) must be a number'),
        ("--kernel=[[[1], 1], [1, 1]]", r"--kernel\[0\]\[0\] \(=\[1\]\) must be a number"),
        ("--learning-rate=0", r"--learning-rate \(=0.0\) must be more than 0 and at most 10$"),
        ("--learning-rate=nan", r"--learning-rate \(=nan\) must be more than 0 and at most 10$"),
        ("--learning-rate=fast", r"--learning-rate.*'fast'"),
        ("--target=2", r"'2'.*--target.*'0', '1'"),
        ("--loss=hinge", r"'hinge'.*--loss.*'squared_error', 'cross_entropy', 'both'"),
    ],
)
def test_a_wrong_argument_ends_with_one_line(script, capsys, argument, message):
    with pytest.raises(SystemExit) as end:
        script.main([argument])
    out, err = capsys.readouterr()
    assert end.value.code == 2
    assert out == ""
    assert err.count("\n") == 1
    assert re.search(message, err.strip())
