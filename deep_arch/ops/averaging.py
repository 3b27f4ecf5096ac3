"""Means over windows of time that end, or lie around, a frame."""

from __future__ import annotations

from dataclasses import dataclass

from deep_arch.language.modules import Operation
from deep_arch.language.specs import Spec
from deep_arch.ops import checks


@dataclass(eq=False)
class WindowAverage(Operation):
    """Take the mean of the frames around the last frame of a sequence, or around each.

    A window reaches from `before` frames before to `after` frames after, as far as the sequence does: `before=4` is the
    mean of the last five, `before=6, after=-6` the one frame six before. The means of each are running means.

    It may be called on a mask too, which says of each frame whether it is there, for sequences of several lengths: a
    mean counts frames where the mask is above 0, or True, the last frame is the last that is there, and of a window in
    which none is there the mean is 0.

    Shape: (channels, length)[, mask] -> (channels,), or (channels, length) with each; masks (length,) or (1, length)

    Args:
        before: frames before, at least 0.
        after: frames after; a negative one leaves out the frames nearest to the last one.
        each: whether there is a mean for each frame, or one for the last.

    Raises:
        BadArgument: an argument is not of these kinds, or some windows are empty, however long the sequence.
        ShapeMismatch: the input is no sequence of floats, or too short for a window that ends before the last frame, or
            the mask is none for it.

    Example:
        >>> from deep_arch.language.specs import sequence
        >>> x = sequence(length=13, features=4)
        >>> str(WindowAverage(before=4).shape(x)), str(WindowAverage(before=2, after=2, each=True).shape(x))
        ('(4)', '(4, 13)')
    """

    before: int
    after: int = 0
    each: bool = False

    def shape(self, x: Spec, mask: Spec | None = None) -> Spec:
        checks.spatial(self, x, 1)
        self._check_window()
        if x.shape[1] <= -self.after:
            raise checks.misfit(
                self,
                f"a sequence of at least {1 - self.after} frames, as its window ends {-self.after} before the last",
                str(x),
                f"Give after at least {1 - x.shape[1]}, or a longer sequence.",
            )
        if mask is not None:
            checks.frames(self, x, mask)
        return x if self.each else x.with_shape(x.shape[0])

    def _check_window(self) -> None:
        checks.flag(self, "each")
        if type(self.before) is not int or self.before < 0:
            mend = "Its window would lie behind the last frame; one that ends before that has a negative after."
            raise checks.bad(self, "before", "an int of at least 0", mend)
        low = 0 if self.each else -self.before
        if type(self.after) is not int or self.after < low:
            why = "with each, as no frame lies before the first" if self.each else "or its window is empty"
            mend = "Use each=False, or shift the means by ops.ZeroPadding1D and ops.Cropping1D."
            raise checks.bad(
                self, "after", f"an int of at least {low}, {why}", mend if self.each else f"Give after={low} or more."
            )
