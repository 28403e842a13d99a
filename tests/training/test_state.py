import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxcnn.training import TrainState, init_train_state


def addresses(tree):
    return [leaf.unsafe_buffer_pointer() for leaf in jax.tree.leaves(tree)]


def test_the_state_begins_at_step_zero_with_the_given_values():
    params = {"dense1": {"kernel": jnp.arange(6.0).reshape(2, 3)}}
    state = init_train_state(params, {"mean": jnp.ones(3)}, optax.adam(1e-3))
    assert isinstance(state, TrainState)
    assert (int(state.step), state.step.dtype) == (0, "int32")
    np.testing.assert_array_equal(state.params["dense1"]["kernel"], params["dense1"]["kernel"])
    np.testing.assert_array_equal(state.model_state["mean"], np.ones(3))
    assert jax.tree.structure(state.opt_state) == jax.tree.structure(optax.adam(1e-3).init(params))


def test_no_buffer_of_the_state_is_the_callers_or_in_it_twice():
    params = {"w": jnp.ones(1000)}
    model_state = {"also_w": params["w"]}
    keeps_params = optax.GradientTransformation(lambda params: (params, params), lambda updates, state, params: None)
    state = init_train_state(params, model_state, keeps_params)
    pointers = addresses(state)
    assert len(set(pointers)) == len(pointers) == 5
    assert not set(pointers) & set(addresses(params))


def test_arrays_of_numpy_and_keys_are_taken():
    state = init_train_state({"w": np.ones(2, np.float32)}, {"key": jax.random.key(5)}, optax.sgd(0.1))
    assert isinstance(state.params["w"], jax.Array)
    assert jax.random.key_data(state.model_state["key"]).tolist() == jax.random.key_data(jax.random.key(5)).tolist()
