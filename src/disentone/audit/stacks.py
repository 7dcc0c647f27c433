"""Stacks: small networks of one shape that learn side by side, in one product for all of them.

A network has one hidden layer of ReLU units and an output layer. All of a stack take a step at
once: weights are (networks, inputs, units), and a layer is one batched product. Networks with
fewer inputs or outputs are padded: an input that is always 0 and an output whose bias is -inf
change nothing, neither the predictions nor the gradients.

References
----------
D. P. Kingma, J. Ba, "Adam: a method for stochastic optimization", 2015.
X. Glorot, Y. Bengio, "Understanding the difficulty of training deep feedforward neural networks",
2010 (the first weights).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad, softplus
from torch.optim.adam import adam

__all__ = ["HIDDEN", "Stack", "first_weights", "numbers"]

HIDDEN = 128

threshold_backward = torch.ops.aten.threshold_backward


def numbers(inputs: int, outputs: int) -> int:
    """Count the weights and biases of a network."""
    return (inputs + 1) * HIDDEN + (HIDDEN + 1) * outputs


def first_weights(size: tuple[int, int], *, padded: tuple[int, int], seed: int) -> list[Tensor]:
    """Draw a network's first weights and biases, uniform by how many units they join.

    Parameters
    ----------
    size : (inputs, outputs)
    padded : (inputs, outputs)
        The same with those that are padded.
    seed : int
    """
    (inputs, outputs), rng = size, np.random.default_rng(seed)
    made = []
    for rows, columns in ((inputs, HIDDEN), (HIDDEN, outputs)):
        bound = (6 / (rows + columns)) ** 0.5
        made += [rng.uniform(-bound, bound, shape) for shape in ((rows, columns), (1, columns))]
    into, bias, out, out_bias = (torch.from_numpy(one.astype(np.float32)) for one in made)
    more = padded[1] - outputs
    return [
        pad(into, (0, 0, 0, padded[0] - inputs)),
        bias,
        pad(out, (0, more)),
        pad(out_bias, (0, more), value=-torch.inf),
    ]


class Stack:
    """Networks that learn together.

    Parameters
    ----------
    networks : sequence of list of Tensor
        Weights of each, as of :func:`first_weights`; they are copied.
    several : bool
        Whether outputs are labels, of which several may be true, or classes, of which one is.
    prior : float
        Precision of a normal prior on the weights, biases excepted.
    """

    def __init__(
        self, networks: Sequence[list[Tensor]], *, several: bool, prior: float = 0.0
    ) -> None:
        self.weights = [torch.stack(layer) for layer in zip(*networks)]
        self.several, self.prior = several, prior
        self._gradients = [torch.empty_like(one) for one in self.weights]
        self._means = [torch.zeros_like(one) for one in self.weights]
        self._squares = [torch.zeros_like(one) for one in self.weights]
        self._steps = [torch.zeros(()) for _ in self.weights]

    def network(self, place: int) -> list[Tensor]:
        """Give a copy of the weights of one network."""
        return [one[place].clone() for one in self.weights]

    def keep(self, which: np.ndarray) -> None:
        """Go on with some of the networks."""
        places = torch.from_numpy(np.flatnonzero(which))
        for state in (self.weights, self._gradients, self._means, self._squares):
            state[:] = [one.index_select(0, places) for one in state]

    def logits(self, inputs: Tensor) -> Tensor:
        """Give (networks, rows, outputs) for inputs (networks, rows, inputs)."""
        return self._output(self._hidden(inputs))

    def probabilities(self, inputs: Tensor) -> Tensor:
        """Probability of every class, or of every label by itself."""
        logits = self.logits(inputs)
        return logits.sigmoid_() if self.several else logits.softmax(dim=2)

    def losses(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy of every row in nats, summed over labels: (networks, rows).

        Parameters
        ----------
        inputs : Tensor, shape (networks, rows, inputs)
        targets : Tensor
            Numbers of the outputs that are true (networks, rows), or 0 and 1 of every label
            (networks, rows, outputs).
        """
        logits = self.logits(inputs)
        if self.several:
            log_terms = softplus(logits)
            return (log_terms - torch.where(targets > 0, logits, 0.0)).sum(dim=2)
        true = logits.gather(2, targets[:, :, None])[:, :, 0]
        return logits.logsumexp(dim=2) - true

    def step(self, inputs: Tensor, targets: Tensor, *, rate: float) -> None:
        """Take one step of Adam on the mean loss of some rows."""
        self.gradients(inputs, targets)
        adam(
            self.weights,
            self._gradients,
            self._means,
            self._squares,
            [],
            self._steps,
            fused=True,
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=rate,
            weight_decay=0.0,
            eps=1e-8,
            maximize=False,
        )

    def gradients(self, inputs: Tensor, targets: Tensor) -> list[Tensor]:
        """Give the gradients of the mean loss and the prior, one for each of ``weights``."""
        into, bias, out, out_bias = self._gradients
        rows = inputs.shape[1]
        hidden = self._hidden(inputs)
        error = self._output(hidden)
        if self.several:
            error.sigmoid_().sub_(targets)
        else:
            error = error.softmax(dim=2)
            true = targets[:, :, None]
            error.scatter_add_(2, true, error.new_tensor(-1.0).expand(true.shape))
        error.div_(rows)
        back = torch.bmm(error, self.weights[2].mT)
        threshold_backward.grad_input(back, hidden, 0, grad_input=back)  # 0 for silent units
        decay = self.prior / rows
        torch.baddbmm(self.weights[2], hidden.mT, error, beta=decay, out=out)
        torch.baddbmm(self.weights[0], inputs.mT, back, beta=decay, out=into)
        torch.sum(error, dim=1, keepdim=True, out=out_bias)
        torch.sum(back, dim=1, keepdim=True, out=bias)
        return self._gradients

    def _hidden(self, inputs: Tensor) -> Tensor:
        return torch.bmm(inputs, self.weights[0]).add_(self.weights[1]).relu_()

    def _output(self, hidden: Tensor) -> Tensor:
        return torch.bmm(hidden, self.weights[2]).add_(self.weights[3])
