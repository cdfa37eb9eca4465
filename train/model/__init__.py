"""The keypoint network, in plain torch and free of training code."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from runtime.geometry import CANVAS_WIDTH
from train.config import EdgeConfig, ModelConfig, PaperConfig
from train.model.angle import AngleHead
from train.model.backbone import RowBlocks, Stage
from train.model.blocks import ConvNorm, RepConv, RowAttention, RowContext
from train.model.fpn import LiteFPN
from train.model.head import DualHead, activate
from train.model.paper import PaperStage, PaperStem
from train.model.shapes import ShapeHead

__all__ = ["KeypointNet", "absorb_norms", "activate", "build_model", "fold"]


class KeypointNet(nn.Module):
    """Stem, stages 2 to 4, LiteFPN, dropout, DualHead and AngleHead, as the configuration says.

    Beside these heads, ``shapes`` serves training alone; a folded network has none.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        edge = isinstance(config, EdgeConfig)
        self.stem, self.stage2, self.stage3, self.stage4 = (
            _edge_backbone(config) if edge else _paper_backbone(config)
        )
        point = config.point_branch if edge else False
        self.fpn = LiteFPN(config.widths, config.fpn_width, point)
        self.dropout = nn.Dropout2d(config.dropout)
        self.head = DualHead(config.fpn_width, point)
        self.angle = AngleHead(config.widths[1], config.fpn_width, point)
        self.shapes: ShapeHead | None = ShapeHead(config.fpn_width)

    def forward_raw(self, x: Tensor) -> Tensor:
        """Canvas f32 [B, 4, 256, 512] in 0..1 (R, G, B, mask) to raw f32 [B, 8, 64, 128].

        Channels: DualHead's six, then (sin, cos) of the gap's angle.
        """
        return self._raw(*self._features(x))

    def forward_training(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """As ``forward_raw``, and the maps f32 [B, 7, 64, 128] of ``ShapeHead`` if there is one."""
        fine, fused = self._features(x)
        return self._raw(fine, fused), None if self.shapes is None else self.shapes(fused)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """As ``forward_raw``, then ``activate``."""
        return activate(self.forward_raw(x))

    def _features(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Stage 2's branch at stride 8 and the fused features."""
        branches = self.stage2([self.stem(x)])
        fine = branches[1]
        for stage in (self.stage3, self.stage4):
            branches = stage(branches)
        return fine, self.dropout(self.fpn(branches))

    def _raw(self, fine: Tensor, fused: Tensor) -> Tensor:
        return torch.cat([self.head(fused), self.angle(fine, fused)], dim=1)

    @staticmethod
    def activate(raw: Tensor) -> dict[str, Tensor]:
        """See ``train.model.activate``."""
        return activate(raw)


Backbone = tuple[nn.Module, nn.Module, nn.Module, nn.Module]  # stem, stages 2 to 4


def _edge_backbone(config: EdgeConfig) -> Backbone:
    widths, point = list(config.widths), config.point_branch
    # The first has no 1×1 branch: oneDNN's weight gradient of a strided 1×1 convolution over
    # four channels_last channels writes outside its memory (seen with torch 2.13).
    stem = nn.Sequential(
        ConvNorm(4, config.stem_width, 3, 2, relu=True),
        RepConv(config.stem_width, widths[0], 2, point),
    )
    return (
        stem,
        Stage(widths[:2], config.stage2, point),
        Stage(widths[:3], config.stage3, point),
        Stage(widths, config.stage4, point, _row_blocks(config), last_exchange=False),
    )


def _paper_backbone(config: PaperConfig) -> Backbone:
    widths = list(config.widths)
    two, three, four = (
        PaperStage(widths[: level + 2], modules, config.blocks)
        for level, modules in enumerate(config.modules)
    )
    return PaperStem(widths[0], config.stem_width), two, three, four


def _row_blocks(config: EdgeConfig) -> RowBlocks:
    """Strides 8 and 16: coarser rows blur the two points' rows, finer ones cost the most."""

    def blocks(level: int, width: int) -> list[nn.Module]:
        made: list[nn.Module] = []
        if config.row_attention and level == 2:
            made.append(RowAttention(width, CANVAS_WIDTH // 16))
        if config.row_context and level in (1, 2):
            made.append(RowContext(width))
        return made

    return blocks


def build_model(config: ModelConfig) -> KeypointNet:
    """A network with fresh random weights (torch's global generator)."""
    model = KeypointNet(config)
    if not config.batch_norm:
        absorb_norms(model)
    return model


def absorb_norms(model: KeypointNet) -> None:
    """Puts every batch norm, as it is in eval mode, into its convolution."""
    for module in list(model.modules()):
        if isinstance(module, ConvNorm):
            module.absorb_norm()


def fold(model: KeypointNet) -> KeypointNet:
    """An eval-mode copy in which every block is one convolution with a bias, without `shapes`.

    The outputs equal those of ``model.eval()`` to about 1e-4.
    """
    folded = copy.deepcopy(model).eval()
    folded.shapes = None
    _fold_children(folded)
    return folded


def _fold_children(parent: nn.Module) -> None:
    for name, child in parent.named_children():
        if isinstance(child, ConvNorm | RepConv):
            setattr(parent, name, child.folded())
        else:
            _fold_children(child)
