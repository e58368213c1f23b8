"""Compute a part of each batch on each worker, so that the weights become those of one worker with whole batches.

Ludwig believes that it trains alone: on each worker it reads the same rows in the same order, and
`trainer.batch_size` is the size of the whole batch. Only two things differ from a training on one worker:

1. The forward pass (`Sharded`) computes only this worker's rows of the batch, and collects the outputs of the other
   rows from the other workers. Loss and metrics then see the whole batch, so every loss is exact, also one that is not
   a mean over rows, and so are the last, incomplete batch of an epoch and the metrics. Evaluations are shared as well.
2. Before a step, `DataParallelStrategy` averages the gradients of the workers.

The outputs of the other workers are constants to autograd. Worker r therefore finds dL/dlogits only for its own rows,
and its gradient is dL/dlogits_r * dlogits_r/dw + dR/dw, with the regularization R, which depends on the weights alone.
`_Collected` multiplies the first term by the number of workers N; then the average over workers is
sum_r dL/dlogits_r * dlogits_r/dw + dR/dw: the gradient of the whole batch.
"""

from collections.abc import Iterable
from typing import Any

import torch
from ludwig.accounting.used_tokens import get_used_tokens_for_ecd
from ludwig.backend.base import LocalBackend
from ludwig.constants import LAST_HIDDEN, USED_TOKENS
from ludwig.distributed.base import LocalStrategy
from torch import distributed, nn

from training.errors import ConfigError
from training.parallel.team import Team, lost_workers_explained

Tensors = dict[str, torch.Tensor]


class TeamBackend(LocalBackend):  # type: ignore[misc]
    """Ludwig's local backend, with a trainer that shares its batches with the other workers."""

    def __init__(self, team: Team) -> None:
        super().__init__()
        self._team = team

    def supports_batch_size_tuning(self) -> bool:
        """Return that Ludwig must not find `eval_batch_size` by trial: each worker would try other sizes."""
        return False

    def create_trainer(self, *args: Any, **kwargs: Any) -> Any:
        """Return Ludwig's trainer with our strategy."""
        return super().create_trainer(*args, distributed=DataParallelStrategy(self._team), **kwargs)


class DataParallelStrategy(LocalStrategy):  # type: ignore[misc]
    """Average gradients over the workers; see the module's description.

    `rank` and `size` stay Ludwig's 0 and 1, because each worker reads all rows, and because Ludwig multiplies the
    learning rate by `size`.
    """

    def __init__(self, team: Team) -> None:
        self._team = team

    def prepare(self, model: nn.Module, trainer_config: Any, base_learning_rate: float) -> tuple[nn.Module, Any]:
        """Return the model that computes a part of each batch, and its optimizer."""
        check_layers(model)
        model, optimizer = super().prepare(model, trainer_config, base_learning_rate)
        return Sharded(model, self._team), optimizer

    def sync_model(self, model: nn.Module) -> None:
        """Start from the first worker's weights: only there do callbacks set them, for example to a linear model."""
        with torch.no_grad(), lost_workers_explained():
            for tensor in model.state_dict().values():
                whole = tensor.contiguous()  # a broadcast writes into the memory of its argument
                distributed.broadcast(whole, src=0)
                tensor.copy_(whole)

    def wait_optimizer_synced(self, optimizer: Any) -> None:
        """Average the gradients over the workers. Ludwig calls this before it clips them, also with mixed precision."""
        gradients = [
            weight.grad for group in optimizer.param_groups for weight in group["params"] if weight.grad is not None
        ]
        for same in _of_each_type(gradients):
            # One message for all gradients of a type: most of the time of a small message is its latency.
            flat = torch.cat([gradient.reshape(-1) for gradient in same])
            with lost_workers_explained():
                distributed.all_reduce(flat)
            flat /= self._team.size
            parts = torch.split(flat, [gradient.numel() for gradient in same])
            for gradient, part in zip(same, parts, strict=True):
                gradient.copy_(part.view_as(gradient))

    def allreduce(self, t: torch.Tensor) -> torch.Tensor:
        """Sum a tensor over the workers: Ludwig stops on all of them if one finds weights that are not numbers."""
        with lost_workers_explained():
            distributed.all_reduce(t)
        return t


class Sharded(nn.Module):
    """A Ludwig model that computes this worker's rows of a batch, and returns the outputs of the whole batch."""

    def __init__(self, model: Any, team: Team) -> None:
        super().__init__()
        self.model, self._team = model, team
        self.config_obj = model.config_obj

    def to_device(self, device: Any) -> "Sharded":
        """Move the model to a device, as Ludwig's models do."""
        self.model.to_device(device)
        return self

    def forward(self, inputs: Any) -> dict[str, Any]:
        """Compute a batch.

        Args:
            inputs: The inputs by feature, tensors with a row per message, or a pair of these and the targets.

        Returns:
            Ludwig's outputs by name, with all rows of the batch, but without the last hidden states.
        """
        whole, targets = inputs if isinstance(inputs, tuple) else (inputs, None)
        sizes = shares(len(next(iter(whole.values()))), self._team.size)
        start, size = sum(sizes[: self._team.rank]), sizes[self._team.rank]
        # A worker without rows computes the first row too, because layers fail on empty batches, and drops its outputs.
        rows = slice(start, start + size) if size else slice(0, 1)
        own = {name: tensor[rows] for name, tensor in whole.items()}
        if targets is None:
            found = self.model(own)
        else:
            found = self.model((own, {name: tensor[rows] for name, tensor in targets.items()}))
        outputs = {
            name: _collected(output[:size], sizes, self._team.rank)
            for name, output in found.items()
            if isinstance(output, torch.Tensor) and not name.endswith(LAST_HIDDEN)
        }
        return {**outputs, USED_TOKENS: get_used_tokens_for_ecd(whole, targets)}


class _Collected(torch.autograd.Function):
    """Collect the rows of all workers; gradients flow to this worker's rows, multiplied by the number of workers."""

    @staticmethod
    def forward(ctx: Any, own: torch.Tensor, sizes: list[int], rank: int) -> torch.Tensor:
        ctx.workers, ctx.start, ctx.size = len(sizes), sum(sizes[:rank]), sizes[rank]
        # All workers must send the same number of rows, so all but the largest parts are padded.
        padded = own.new_zeros((max(sizes), *own.shape[1:]))
        padded[: len(own)] = own
        parts = [torch.empty_like(padded) for _ in sizes]
        with lost_workers_explained():
            distributed.all_gather(parts, padded)
        return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        (gradient,) = gradients
        return gradient[ctx.start : ctx.start + ctx.size] * ctx.workers, None, None


def _collected(own: torch.Tensor, sizes: list[int], rank: int) -> torch.Tensor:
    found: torch.Tensor = _Collected.apply(own, sizes, rank)  # type: ignore[no-untyped-call]
    return found


def shares(rows: int, workers: int) -> list[int]:
    """Return the number of consecutive rows of a batch that each worker computes; they differ by at most one."""
    each, more = divmod(rows, workers)
    return [each + (worker < more) for worker in range(workers)]


def check_layers(model: nn.Module) -> None:
    """Check that no layer of a model depends on the other rows of its batch.

    Raises:
        ConfigError: The model normalizes over batches.
    """
    if any(isinstance(layer, nn.modules.batchnorm._BatchNorm) for layer in model.modules()):
        raise ConfigError(
            "The configuration uses batch normalization, which depends on the rows that a worker has, so it would give "
            "another model with several workers: use `norm: layer`, or train without --workers."
        )


def _of_each_type(tensors: Iterable[torch.Tensor]) -> list[list[torch.Tensor]]:
    groups: dict[torch.dtype, list[torch.Tensor]] = {}
    for tensor in tensors:
        groups.setdefault(tensor.dtype, []).append(tensor)
    return list(groups.values())
