"""Small networks of PyTorch, of random weights: what make.py exports."""

import torch
from torch import nn
from torch.nn import functional as F

NETWORKS = {}


def network(shape, exporters, indices=None, quantized=()):
    """`exporters` are versions of TorchScript's operators, or "new" for the newer exporter."""

    def add(build):
        NETWORKS[build.__name__] = (build, shape, exporters, indices, quantized)
        return build

    return add


def block(c_in, c_out, stride=1, groups=1, kernel=3, act=nn.ReLU):
    conv = nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(c_out), act())


class Sum(nn.Module):
    def __init__(self, *parts, act=nn.Identity):
        super().__init__()
        self.parts, self.act = nn.ModuleList(parts), act()

    def forward(self, x):
        return self.act(sum(part(x) for part in self.parts))


class Squeeze(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.share = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(c, 2, 1), nn.ReLU(), nn.Conv2d(2, c, 1), nn.Hardsigmoid()
        )

    def forward(self, x):
        return x * self.share(x)


@network((1, 16), [11, 13, "new"], quantized=["int8"])
def mlp():
    return nn.Sequential(
        nn.Linear(16, 12), nn.ReLU(), nn.Linear(12, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 4), nn.Softmax(-1)
    )


@network((1, 1, 16, 16), [13, "new"], quantized=["int8", "uint8"])
def lenet():
    return nn.Sequential(
        nn.Conv2d(1, 4, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 6, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(54, 16), nn.ReLU(), nn.Linear(16, 10),
    )  # fmt: skip


@network((1, 3, 16, 16), [17], quantized=["int8"])
def residual():
    half = Sum(nn.Sequential(block(6, 8, 2), block(8, 8, act=nn.Identity)), nn.Conv2d(6, 8, 1, 2), act=nn.ReLU)
    return nn.Sequential(block(3, 6), half, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5))


@network((1, 3, 16, 16), [13, 17], quantized=["uint8"])
def mobile():
    inner = nn.Sequential(
        block(4, 8, kernel=1, act=nn.Hardswish), block(8, 8, groups=8, act=nn.ReLU6), Squeeze(8), nn.Conv2d(8, 4, 1)
    )
    return nn.Sequential(
        block(3, 4, 2), Sum(nn.Identity(), inner), nn.Dropout(0.2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
    )


class Shuffle(nn.Module):
    def forward(self, x):
        n, c, h, w = x.shape
        return x.view(n, 3, c // 3, h, w).transpose(1, 2).reshape(n, c, h, w)


class Halves(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(6, 6, 3, padding=1, groups=6)

    def forward(self, x):
        a, b = x.chunk(2, 1)
        return torch.cat([a, self.conv(b)], 1)


@network((1, 3, 10, 10), [17, "new"])
def shuffled():
    return nn.Sequential(nn.Conv2d(3, 12, 3, 2), nn.Conv2d(12, 12, 1, groups=3), Shuffle(), nn.ReLU(), Halves())


class Causal(nn.Module):
    def __init__(self, c_in, c_out, dilation):
        super().__init__()
        self.pad, self.conv = 2 * dilation, nn.Conv1d(c_in, c_out, 3, padding=2 * dilation, dilation=dilation)
        self.skip = nn.Conv1d(c_in, c_out, 1)

    def forward(self, x):
        return F.relu(self.conv(x)[:, :, : -self.pad] + self.skip(x))


class Series(nn.Module):
    def __init__(self):
        super().__init__()
        self.parts = nn.Sequential(Causal(3, 4, 1), nn.BatchNorm1d(4), Causal(4, 4, 2), nn.MaxPool1d(2))
        self.last = nn.Linear(4 * 10, 3)

    def forward(self, x):
        return F.log_softmax(self.last(self.parts(x).flatten(1)), 1)


@network((1, 3, 20), [11, "new"])
def series():
    return Series()


class Hourglass(nn.Module):
    def __init__(self, up):
        super().__init__()
        self.a, self.b, self.up = block(2, 4), block(4, 6), up
        self.c = block(up_channels(up) + 4, 4)
        self.d = nn.Conv2d(4, 2, 1)

    def forward(self, x):
        a = self.a(x)
        return self.d(self.c(torch.cat([self.up(self.b(F.max_pool2d(a, 2))), a], 1)))


def up_channels(up):
    return 5 if isinstance(up, nn.ConvTranspose2d) else 6


@network((1, 2, 8, 8), [11, "new"])
def hourglass_nearest():
    return Hourglass(nn.Upsample(scale_factor=2))


@network((1, 2, 8, 8), [17, "new"])
def hourglass_linear():
    return Hourglass(nn.Upsample(scale_factor=2, mode="bilinear"))


@network((1, 2, 8, 8), [11])
def hourglass_corners():
    return Hourglass(nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True))


@network((1, 2, 8, 8), [17])
def hourglass_transposed():
    return Hourglass(nn.ConvTranspose2d(6, 5, 2, 2))


@network((1, 2, 9, 9), [17, "new"])
def transposed():
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, 2, 1), nn.LeakyReLU(0.1), nn.ConvTranspose2d(4, 4, 3, 2, 1, output_padding=1, groups=2),
        nn.PReLU(4), nn.ConvTranspose2d(4, 1, 4, 2, 1), nn.Sigmoid(),
    )  # fmt: skip


class Recurrent(nn.Module):
    def __init__(self, kind, reads, **options):
        super().__init__()
        self.layer, self.reads = kind(3, 5, batch_first=True, **options), reads
        self.last = nn.Linear(10 if options.get("bidirectional") else 5, 2)

    def forward(self, x):
        every, state = self.layer(x)
        state = state[0] if isinstance(state, tuple) else state
        return self.last({"every": every, "last": every[:, -1], "state": state[-1]}[self.reads])


@network((1, 7, 3), [11, "new"])
def lstm():
    return Recurrent(nn.LSTM, "state")


@network((1, 7, 3), [17])
def lstm_both_ways():
    return Recurrent(nn.LSTM, "every", bidirectional=True)


@network((1, 7, 3), [17, "new"])
def gru():
    return Recurrent(nn.GRU, "last", num_layers=2)


@network((1, 7, 3), [11])
def gru_both_ways():
    return Recurrent(nn.GRU, "last", bidirectional=True)


class Words(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.layer = nn.Embedding(20, 4), nn.GRU(4, 4, batch_first=True)

    def forward(self, x):
        return self.layer(self.table(x))[1][0]


@network((1, 6), [17, "new"], indices=20)
def words():
    return Words()


class Transformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.place = nn.Linear(3, 8), nn.Parameter(torch.randn(1, 6, 8))
        layer = nn.TransformerEncoderLayer(8, 2, 12, batch_first=True, activation="gelu", norm_first=True)
        self.layers, self.last = nn.TransformerEncoder(layer, 1), nn.Linear(8, 2)

    def forward(self, x):
        return self.last(self.layers(self.first(x) + self.place).mean(1))


@network((1, 6, 3), [14, "new"])
def transformer():
    return Transformer()


class Attention(nn.Module):
    def __init__(self, c, heads):
        super().__init__()
        self.heads, self.all, self.last = heads, nn.Linear(c, 3 * c), nn.Linear(c, c)

    def forward(self, x):
        n, t, c = x.shape
        q, k, v = self.all(x).reshape(n, t, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        later = torch.triu(torch.ones(t, t), 1).bool()
        shares = (q @ k.transpose(-2, -1) * (c // self.heads) ** -0.5).masked_fill(later, float("-inf")).softmax(-1)
        return self.last((shares @ v).transpose(1, 2).reshape(n, t, c))


class Patches(nn.Module):
    def __init__(self):
        super().__init__()
        self.patches, self.norm, self.attention = nn.Conv2d(3, 8, 4, 4), nn.LayerNorm(8), Attention(8, 2)
        self.first, self.place = nn.Parameter(torch.randn(1, 1, 8)), nn.Parameter(torch.randn(1, 5, 8))
        self.inner = nn.Sequential(nn.LayerNorm(8), nn.Linear(8, 12), nn.GELU(), nn.Linear(12, 8))
        self.last = nn.Linear(8, 3)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.first.expand(x.shape[0], -1, -1), x], 1) + self.place
        x = x + self.attention(self.norm(x))
        return self.last((x + self.inner(x))[:, 0])


@network((1, 3, 8, 8), [17, "new"])
def patches():
    return Patches()


@network((1, 2, 6, 6), [11, "new"])
def pixels():
    return nn.Sequential(
        nn.Conv2d(2, 12, 3, padding=1), nn.PixelShuffle(2), nn.Conv2d(3, 2, 3, padding=1), nn.PixelUnshuffle(2),
        nn.Conv2d(8, 2, 1),
    )  # fmt: skip


@network((1, 2, 13, 13), [11, "new"])
def pools():
    return nn.Sequential(
        nn.AvgPool2d(3, 2, 1), nn.Conv2d(2, 3, 2), nn.MaxPool2d(3, 2, ceil_mode=True),
        nn.AvgPool2d(2, 2, 1, count_include_pad=False), nn.AvgPool2d(2, 2, ceil_mode=True),
    )  # fmt: skip


@network((1, 2, 8, 8), [11, "new"])
def pads():
    return nn.Sequential(
        nn.ReflectionPad2d((1, 2, 3, 1)), nn.Conv2d(2, 2, 3), nn.ReplicationPad2d(1), nn.Conv2d(2, 2, 3),
        nn.ZeroPad2d((2, 0, 1, 1)), nn.Conv2d(2, 2, 3), nn.ConstantPad2d(1, 0.5), nn.Conv2d(2, 1, 3),
    )  # fmt: skip


@network((1, 4, 8, 8), [17, "new"])
def norms():
    return nn.Sequential(
        nn.GroupNorm(2, 4), nn.Conv2d(4, 3, 3), nn.InstanceNorm2d(3, affine=True), nn.LayerNorm([3, 6, 6]),
        nn.BatchNorm2d(3), nn.Conv2d(3, 2, 1),
    )  # fmt: skip


class Activations(nn.Module):
    def __init__(self):
        super().__init__()
        self.all = nn.ModuleList([
            nn.ELU(), nn.ELU(0.5), nn.SELU(), nn.CELU(0.7), nn.GELU("tanh"), nn.SiLU(), nn.Mish(), nn.Softplus(),
            nn.Softsign(), nn.Hardtanh(-2, 2), nn.Hardswish(), nn.LogSigmoid(), nn.Tanhshrink(),
        ])  # fmt: skip

    def forward(self, x):
        return torch.cat([act(x) for act in self.all], 1)


@network((1, 9), [17])
def activations():
    return Activations()


class Numbers(nn.Module):
    def forward(self, x):
        y = x.abs() + 0.5
        z = torch.sqrt(y) / (y**2 + 1) - x.exp() * 0.1
        z = torch.maximum(z, x) - torch.minimum(x, y) + torch.log(y) - (-x)
        over = [z.mean(-1, keepdim=True), z.max(-1, keepdim=True)[0], z.amin(-1, keepdim=True)]
        wide = z.sum(1, keepdim=True).mean(-1, keepdim=True).expand(-1, 4, -1)
        return torch.cat([*over, wide, z.norm(dim=-1, keepdim=True), x[:, :, 1::2], x.flip(1)[:, :, [0, 3]]], -1)


@network((1, 4, 6), [17, "new"])
def numbers():
    return Numbers()


class Turned(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.last = nn.Conv2d(3, 4, 3, 2), nn.Linear(4, 3)

    def forward(self, x):
        x = (x - 0.5) / torch.tensor([0.2, 0.3, 0.25])
        return self.last(self.conv(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)).argmax(-1)


@network((1, 9, 9, 3), [17, "new"])
def turned():
    return Turned()
