"""Linear layers whose synapses have delays that learn, by dilated convolution with learnable spacings (DCLS)."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class DelayedLinear(nn.Module):
    """Linear with a delay of its own for every synapse, x [T, B, C] → [T, B, N], of at most D − 1 steps:

        y_t = bias + Σ_i Σ_d K_oid·x_{t−d, i}     K_oid = w_oi·g_oid/(Σ_d g_oid + 1e-7)
        g_oid = exp(−½((d − delay_oi)/(σ + 0.27))²),  delay = D − 1 − D div 2 − P,  d = 0 … D − 1

    P is a parameter as the delay's weight w is; it starts evenly drawn from [−D/2, D/2) and lies in ±(D div 2). σ is a
    constant: its authors lower it in training from D div 2 to 0.23, where a kernel is about one step wide.

    Source: Hammouamri, Khalfaoui-Hassani and Masquelier, ICLR 2024, arXiv 2306.17670, Thvnvtos/SNN-delays at d169b4e
    (snn_delays.py, config.py: version gauss, one kernel element for each synapse), and
    K-H-Ismail/Dilated-Convolution-with-Learnable-Spacings-PyTorch at 83de562 (DCLS/construct/modules.py). They run D div 2
    steps more than there is input, so that late spikes arrive, have no bias, and clamp P after each step of the optimiser; here
    there are as many steps as input, a bias, and P is clamped where it is used.
    """

    def __init__(self, channels: int, n: int, longest: int, sigma: float) -> None:
        super().__init__()
        made = nn.Linear(channels, n)
        self.weight, self.bias = made.weight, made.bias
        self.position = nn.Parameter(torch.empty(n, channels).uniform_(-longest / 2, longest / 2))
        self.longest, self.sigma = longest, sigma

    def kernel(self) -> Tensor:
        """K [N, C, D] with the longest delay first, as a convolution over time takes it."""
        most = self.longest // 2
        places = torch.arange(self.longest, dtype=self.weight.dtype, device=self.weight.device)  # D − 1 − d
        away = places - (self.position.clamp(-most, most) + most)[..., None]
        g = (-0.5 * (away / (self.sigma + 0.27)) ** 2).exp()
        return self.weight[..., None] * g / (g.sum(-1, keepdim=True) + 1e-7)

    def forward(self, x: Tensor) -> Tensor:
        series = functional.pad(x.permute(1, 2, 0), (self.longest - 1, 0))  # [B, C, D − 1 + T]
        return functional.conv1d(series, self.kernel(), self.bias).permute(2, 0, 1)
