"""`Params`: the tensors to keep gradients of, by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from rnn_widgets.core.names import unknown


class Params(Mapping[str, Tensor]):
    """The tensors that an implicit gradient is taken by, each under a name.

    The tensors are held as the objects they are, not copied: one that is given twice, or that two
    layers of a module share, is one object with two names.

    Parameters
    ----------
    module : torch.nn.Module or mapping of str to torch.Tensor, optional
        A module gives its parameters, under the names that PyTorch gives them.
    **tensors : torch.Tensor
        Further tensors of any shape; they need not require gradients.

    Raises
    ------
    TypeError
        For what is not a tensor, or a name that is given twice.
    ValueError
        If there is nothing, or a tensor that no gradient can be kept of (sparse, without values,
        or made under ``torch.inference_mode``).

    Examples
    --------
    >>> import rnn_widgets as rw
    >>> import torch
    >>> rw.Params(W=torch.zeros(3, 5), b=torch.zeros(3))
    Params(W: (3, 5), b: (3,))
    >>> list(rw.Params(torch.nn.Linear(2, 1), x=torch.ones(2)))
    ['weight', 'bias', 'x']
    """

    def __init__(
        self, module: nn.Module | Mapping[str, Tensor] | None = None, /, **tensors: Tensor
    ) -> None:
        if isinstance(module, nn.Module):
            first: dict[str, Tensor] = {**dict(module.named_parameters(remove_duplicate=False))}
        elif module is None or isinstance(module, Mapping):
            first = dict(module or {})
        else:
            raise TypeError(
                "Params needs names: rw.Params(W=W, b=b), or rw.Params(model) for a module's "
                f"parameters, not a {type(module).__name__}"
            )
        for name in first.keys() & tensors.keys():
            raise TypeError(f"{name!r} is given twice: by the module or mapping, and by name")
        self._tensors = {**first, **tensors}
        if not self._tensors:
            what = "this module has no parameters" if module is not None else "there are none"
            raise ValueError(f"Params needs at least one tensor, as in rw.Params(W=W): {what}")
        for name, tensor in self._tensors.items():
            if not isinstance(name, str):
                raise TypeError(f"a name of Params is a str, not {name!r}")
            check_tensor(name, tensor)

    def __getitem__(self, name: str) -> Tensor:
        if name not in self._tensors:
            raise unknown("parameter", name, self._tensors)
        return self._tensors[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    def __eq__(self, other: object) -> bool:
        """Whether names and objects are the same; tensors themselves compare entry by entry."""
        if not isinstance(other, Params):
            return NotImplemented
        same = list(self) == list(other)
        return same and all(self[name] is other[name] for name in self)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        tensors = (f"{name}: {tuple(tensor.shape)}" for name, tensor in self._tensors.items())
        return f"Params({', '.join(tensors)})"


def check_tensor(name: str, given: object) -> None:
    """Refuse what no gradient can be kept of.

    Raises
    ------
    TypeError, ValueError
        Naming it.
    """
    if isinstance(given, nn.Module):
        raise TypeError(f"{name} is a module: give its parameters, params=rw.Params(module)")
    if not isinstance(given, Tensor):
        raise TypeError(
            f"{name} must be a torch tensor, not {type(given).__name__}; what is no tensor reaches "
            "the function through its closure or functools.partial"
        )
    if given.layout != torch.strided or given.is_meta:
        what = "a meta tensor: it has no values" if given.is_meta else f"stored as {given.layout}"
        raise ValueError(f"{name} is {what}; an ordinary tensor is needed, such as W.to_dense()")
    if given.is_inference():
        raise ValueError(
            f"{name} was made under torch.inference_mode, which keeps no versions; give {name}."
            "clone(), made outside it"
        )
