"""Quantisation-aware training: training's own loop on a network with quantisers and a teacher."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from compress.build import Source
from compress.errors import InterruptedRunError
from compress.fakequant import RawNet, quantized
from train import checkpoint, data, distributed, loop
from train.checkpoint import CheckpointError
from train.config import Config, parse_config, plain
from train.folder import BEST, LAST
from train.losses import Answer, weighted_l1
from train.model import KeypointNet
from train.resources import resolved
from train.state import TrainState
from train.stop import stop_on_signals


@dataclass(frozen=True)
class QatSettings:
    """A run. Defaults take less than half an hour on two cores.

    epochs, pictures: of training, generated, `pictures` an epoch.
    validation_pictures: what the best epoch is chosen on.
    rate: the learning rate it starts with. distillation: the weight of `distillation_loss`.
    seed: of the pictures. backgrounds: photographs for them. workers, threads: None for training's
    defaults.
    """

    epochs: int = 4
    pictures: int = 2400
    validation_pictures: int = 300
    batch_size: int = 16
    rate: float = 1e-4
    distillation: float = 1.0
    seed: int = 30_006
    backgrounds: Path | None = None
    workers: int | None = None
    threads: int | None = None

    def config(self, trained: Config, folder: Path) -> Config:
        """The configuration of the run: the checkpoint's network, losses and generated pictures.

        A data set that it was trained on is not followed: pictures are generated all the same.

        No weight decay, which would pull at the scales; no reduced precision, whose rounding is as
        coarse as INT8's.
        """
        values = plain(trained)
        values["training"] = {
            "optimizer": {"lr": self.rate, "weight_decay": 0.0},
            "scheduler": {
                "type": "CosineAnnealingLR",
                "warmup_epochs": 0.1,
                "warmup_lr": self.rate / 10,
                "eta_min": self.rate / 100,
            },
            "batch_size": self.batch_size,
            "num_epochs": self.epochs,
            "ema": {"decay": 0.99},
            "augmentation": {"enabled": False},
            "threads": self.threads,
        }
        values["data"] = {
            "pictures_per_epoch": self.pictures,
            "validation_pictures": self.validation_pictures,
            "seed": self.seed,
            "workers": self.workers,
            "backgrounds": None if self.backgrounds is None else str(self.backgrounds),
            "leave_out": list(trained.data.leave_out),
            "plain_share": trained.data.plain_share,
            "emphases": values["data"]["emphases"],
        }
        values["validation"] = {"interval": 1}
        values["checkpoints"] = {"save_dir": str(folder), "keep_last": 1}
        # Its graph and histograms know nothing of hooks.
        values["monitor"] = {"tensorboard": False}
        return parse_config(values)


def distillation_loss(raw: Tensor, teacher: Tensor) -> Tensor:
    """How far a network's answers are from its teacher's, both raw f32 [B, 8, H, W].

    "Which cell" as Kullback-Leibler divergence of each heatmap's softmax from the teacher's, and
    offsets as L1 where the teacher sees a point (Hinton et al., 2015).
    """
    logits, wanted = (maps[:, :2].flatten(2).log_softmax(dim=2) for maps in (raw, teacher))
    which = functional.kl_div(logits, wanted, reduction="sum", log_target=True)
    offsets, told = (
        maps[:, 2:6].reshape(len(raw), 2, 2, *raw.shape[2:]) for maps in (raw, teacher)
    )
    seen = torch.sigmoid(teacher[:, :2]).unsqueeze(2)
    return which / (2 * len(raw)) + weighted_l1(offsets, told.clamp(-0.5, 0.5), seen)


class QatState(TrainState):
    """A run of training whose network has quantisers.

    facts: what a checkpoint must agree in to be continued, beside the configuration.
    """

    def __init__(
        self,
        config: Config,
        device: torch.device,
        net: RawNet,
        teacher: KeypointNet,
        distillation: float,
        facts: dict[str, Any],
    ) -> None:
        super().__init__(config, device, net)
        self._teacher = copy.deepcopy(teacher).eval().to(device)
        self._distillation, self._facts = distillation, facts

    def losses(self, x: Tensor, answer: Answer, batch: Sequence[Tensor]) -> dict[str, Tensor]:
        """See `TrainState.losses`; with the teacher's part."""
        found = super().losses(x, answer, batch)
        if not self._distillation:
            return found
        with torch.no_grad():
            teacher = self._teacher.forward_raw(x)
        distilled = distillation_loss(answer[0], teacher)
        total = found["loss"] + self._distillation * distilled
        return found | {"loss": total, "distillation": distilled}

    def to_checkpoint(self) -> dict[str, Any]:
        """See `TrainState.to_checkpoint`."""
        return super().to_checkpoint() | {"qat": self._facts}

    def restore(self, path: str | Path) -> None:
        """See `TrainState.restore`; of the same teacher, calibration and distillation."""
        if checkpoint.load(path).get("qat") != self._facts:
            raise CheckpointError(
                f"{path}: made from another checkpoint, calibration or distillation"
            )
        super().restore(path)

    def take_best(self, path: Path) -> RawNet:
        """The averaged network of the best epoch, in eval mode, as it is exported."""
        saved = checkpoint.load(path)
        assert self.ema is not None
        checkpoint.restore_weights(self.ema, saved["ema_state_dict"], path)
        best = self.evaluated_model
        assert isinstance(best, RawNet)
        for parameter in best.parameters():
            parameter.data = parameter.data.cpu().contiguous()
        return best.cpu().eval()


def fine_tune(source: Source, settings: QatSettings, folder: Path, resume: bool) -> RawNet:
    """Train quantised weights from where calibration put them; the best epoch's network.

    folder: of the run's checkpoints, log and history. resume: go on from its `last.pth`.
    Raises InterruptedRunError when it was told to stop, CheckpointError for a run that cannot be
    continued, and as `train.loop.run`.
    """
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    device = distributed.device()
    config = settings.config(source.config, folder)
    training, validation = data.sources(config)
    config = resolved(config, device, training.pictures_per_epoch)
    net = quantized(source.folded, source.calibration, source.floating)
    state = QatState(
        config, device, net, source.folded, settings.distillation, _facts(source, settings)
    )
    if resume:
        state.restore(folder / LAST)
    with stop_on_signals() as stop:
        if not loop.train_to_the_end(state, training, validation, stop):
            raise InterruptedRunError(f"stopped; continue with --resume (in {folder})")
    return state.take_best(folder / BEST)


def _facts(source: Source, settings: QatSettings) -> dict[str, Any]:
    weights = source.folded.state_dict().values()
    return {
        "teacher": float(torch.stack([w.double().abs().sum() for w in weights]).sum()),
        "calibration": source.calibration.sha256,
        "distillation": settings.distillation,
    }


def plain_settings(settings: QatSettings) -> dict[str, Any]:
    """The settings that decide the result, as JSON."""
    values = dataclasses.asdict(settings)
    for name in ("backgrounds", "workers", "threads"):
        del values[name]
    return values
