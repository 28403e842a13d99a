"""Training: state, step, evaluation, loop, and what a run leaves on disk. Each part can be used without the others."""

from jaxcnn.training.batches import count_steps as count_steps
from jaxcnn.training.batches import scale_images as scale_images
from jaxcnn.training.batches import shuffled_batches as shuffled_batches
from jaxcnn.training.compiler_options import recommended_compiler_options as recommended_compiler_options
from jaxcnn.training.evaluate import make_evaluate as make_evaluate
from jaxcnn.training.loop import FitResult as FitResult
from jaxcnn.training.loop import fit as fit
from jaxcnn.training.metrics import MetricsFile as MetricsFile
from jaxcnn.training.optimizers import OptimizerName as OptimizerName
from jaxcnn.training.optimizers import ScheduleName as ScheduleName
from jaxcnn.training.optimizers import make_optimizer as make_optimizer
from jaxcnn.training.optimizers import make_schedule as make_schedule
from jaxcnn.training.parameters import load_parameters as load_parameters
from jaxcnn.training.parameters import save_parameters as save_parameters
from jaxcnn.training.progress import Progress as Progress
from jaxcnn.training.progress import show_progress as show_progress
from jaxcnn.training.state import TrainState as TrainState
from jaxcnn.training.state import init_train_state as init_train_state
from jaxcnn.training.step import make_train_step as make_train_step
