"""What the loss of one token is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LossOptions:
    """The loss of a token with logits a and label y, over a vocabulary of V:

    lse - (1 - label_smoothing) x[y] - label_smoothing / V sum(x) + z_loss lse², with lse = log(sum(exp(x))).

    x is a, or softcap tanh(a / softcap) (Gemma 2, Gemma Team 2024, section 2). Label smoothing is that of Szegedy et
    al. 2016, section 7; the z-loss that of PaLM (Chowdhery et al. 2022, section 5). A label of `ignore_index` is no
    target.
    """

    ignore_index: int = -100
    label_smoothing: float = 0.0
    z_loss: float = 0.0
    softcap: float | None = None

    @property
    def smoothed(self) -> bool:
        return self.label_smoothing > 0

    def constants(self, vocabulary: int) -> tuple[int, float, float, float, float]:
        """What every kernel gets: ignore_index, the shares of the label and of each logit, z_loss, and softcap or 0."""
        share = self.label_smoothing / vocabulary
        return self.ignore_index, 1 - self.label_smoothing, share, self.z_loss, self.softcap or 0.0
