"""The methods of transfer, one file each (or one per close family); a file in this folder is found by itself.

>>> from headstart.transfers.methods import FineTune
>>> FineTune(rate=0.01)
FineTune(rate=0.01, ratio=None)
"""

from headstart.transfers.methods.adapters import Adapters
from headstart.transfers.methods.bitfit import BitFit, NormTuning
from headstart.transfers.methods.distill import Distill, Distillation
from headstart.transfers.methods.fine_tune import FineTune, Partial, ProbeFineTune, Scratch
from headstart.transfers.methods.gradual import Gradual, LayerDecay
from headstart.transfers.methods.head import Head
from headstart.transfers.methods.lora import Dora, Lora, QLora
from headstart.transfers.methods.prototypes import Prototypes
from headstart.transfers.methods.residual import Residual
from headstart.transfers.methods.setfit import SetFit
from headstart.transfers.methods.virtual_tokens import Prefix, Prompt
from headstart.transfers.methods.visual_prompt import VisualPrompt
from headstart.transfers.methods.zero_shot import ZeroShotTuning

__all__ = [
    "Adapters",
    "BitFit",
    "Distill",
    "Distillation",
    "Dora",
    "FineTune",
    "Gradual",
    "Head",
    "LayerDecay",
    "Lora",
    "NormTuning",
    "Partial",
    "Prefix",
    "ProbeFineTune",
    "Prompt",
    "Prototypes",
    "QLora",
    "Residual",
    "Scratch",
    "SetFit",
    "VisualPrompt",
    "ZeroShotTuning",
]
