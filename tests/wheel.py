"""What the installed package must do with the base install alone; run by .ci/run outside the checkout."""

import importlib.metadata
from pathlib import Path

import jax
import numpy as np
import optax

import jaxcnn
import jaxcnn.models
import jaxcnn.training
from jaxcnn.gradcheck import compare


def main():
    """Load the embedded data, compare gradients, and train for some steps."""
    package = Path(jaxcnn.__file__).parent
    assert "site-packages" in package.parts, package
    assert (package / "py.typed").exists()
    metadata = importlib.metadata.metadata("jaxcnn")
    assert jaxcnn.__version__ == metadata["Version"]
    assert metadata["License-Expression"] == "Apache-2.0 AND CC-BY-SA-3.0"
    base = {line.split(">")[0] for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line}
    assert base == {"jax", "jaxlib", "numpy", "optax"}, base

    data = jaxcnn.training.scale_images(jaxcnn.data.load("mnist-10k"))
    assert data.train_images.shape == data.test_images.shape == (10_000, 28, 28, 1)

    model = jaxcnn.models.lenet()
    loss = jaxcnn.softmax_cross_entropy_with_integer_labels
    params, state = model.init(jax.random.key(0), (28, 28, 1))
    few = (data.train_images[:8], data.train_labels[:8])

    def losses(ops):
        network = jaxcnn.models.lenet(ops)
        return lambda params, x, y: loss(network.apply(params, state, x, train=True)[0], y)

    compare(losses(jaxcnn.ops), losses(jaxcnn.reference), params, *few).raise_if_bad()

    step = jaxcnn.training.make_train_step(model, loss, optax.adam(1e-3))
    train_state = jaxcnn.training.init_train_state(params, state, optax.adam(1e-3))
    seen = []
    for _ in range(5):
        train_state, metrics = step(train_state, *few, jax.random.key(1))
        seen.append(float(metrics["loss"]))
    assert np.all(np.diff(seen) < 0), seen
    print(f"the wheel of jaxcnn {metadata['Version']} works: loss {seen[0]:.3f} to {seen[-1]:.3f} in 5 steps")


if __name__ == "__main__":
    main()
