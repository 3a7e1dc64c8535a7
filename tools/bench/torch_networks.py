"""Our V-Net and U-Net in PyTorch, with the parameter names of the community's implementations (UA-MT, SSL4MIS), which
`sagcl-export safetensors` writes:

    network = VNet(channels, classes, width)                # and halvings, as the notes of the ONNX file say
    network.load_state_dict(safetensors.torch.load_file("model.safetensors"), strict=True)
    probabilities = network.eval()(image).softmax(1)        # image [batch, channels, (depth,) height, width]
"""
import torch
from torch import nn


def units(kind, channels, count):
    """Convolution, batch norm, ReLU; `count` times, the first of channels[0], in one nn.Sequential."""
    layers = []
    for i in range(count):
        layers += [kind(channels[0] if i == 0 else channels[1], channels[1]), nn.BatchNorm3d(channels[1]), nn.ReLU(inplace=True)]
    block = nn.Module()
    block.conv = nn.Sequential(*layers)
    return block


def steps(halvings):
    """Of the four steps down the last so many halve each axis."""
    return [tuple(2 if level + n >= 4 else 1 for n in halvings) for level in range(4)]


class VNet(nn.Module):
    encoder, decoder = ("one", "two", "three", "four", "five"), ("six", "seven", "eight", "nine")

    def __init__(self, channels, classes, width, halvings=(4, 4, 4)):
        super().__init__()
        step = steps(halvings)
        same = lambda i, o: nn.Conv3d(i, o, 3, padding=1)
        w = [width * 2**level for level in range(5)]
        for level, (name, count) in enumerate(zip(self.encoder, (1, 2, 3, 3, 3))):
            self.add_module(f"block_{name}", units(same, (channels if level == 0 else w[level], w[level]), count))
            if level < 4:
                down = lambda i, o: nn.Conv3d(i, o, step[level], stride=step[level])
                self.add_module(f"block_{name}_dw", units(down, (w[level], w[level + 1]), 1))
        for level, below, name, count in zip((3, 2, 1, 0), ("five",) + self.decoder, self.decoder, (3, 3, 2, 1)):
            up = lambda i, o: nn.ConvTranspose3d(i, o, step[level], stride=step[level])
            self.add_module(f"block_{below}_up", units(up, (w[level + 1], w[level]), 1))
            self.add_module(f"block_{name}", units(same, (w[level], w[level]), count))
        self.drop, self.out_conv = nn.Dropout3d(0.5), nn.Conv3d(width, classes, 1)

    def run(self, name, x):
        return getattr(self, f"block_{name}").conv(x)

    def encode(self, x):
        """What the five stages make, the bottleneck last, before its dropout."""
        features = []
        for name in self.encoder:
            x = self.run(name, self.run(f"{before}_dw", x) if features else x)
            features.append(x)
            before = name
        return features

    def forward(self, x):
        *skips, x = self.encode(x)
        x = self.drop(x)
        for below, name in zip(("five",) + self.decoder, self.decoder):
            x = self.run(name, self.run(f"{below}_up", x) + skips.pop())
        return self.out_conv(self.drop(x))


class ConvBlock(nn.Module):
    def __init__(self, i, o, dropout):
        super().__init__()
        conv = lambda a: [nn.Conv2d(a, o, 3, padding=1), nn.BatchNorm2d(o), nn.LeakyReLU(inplace=True)]  # slope 0.01
        self.conv_conv = nn.Sequential(*conv(i), nn.Dropout(dropout), *conv(o))

    def forward(self, x):
        return self.conv_conv(x)


class Down(nn.Module):
    def __init__(self, i, o, step, dropout):
        super().__init__()
        self.maxpool_conv = nn.Sequential(nn.MaxPool2d(step), ConvBlock(i, o, dropout))

    def forward(self, x):
        return self.maxpool_conv(x)


class Up(nn.Module):
    def __init__(self, i, o, step):
        super().__init__()
        self.conv1x1 = nn.Conv2d(i, o, 1)
        self.up = nn.Upsample(scale_factor=step, mode="bilinear", align_corners=True)
        self.conv = ConvBlock(2 * o, o, 0)

    def forward(self, x, skip):
        return self.conv(torch.cat([skip, self.up(self.conv1x1(x))], 1))


class UNet(nn.Module):
    def __init__(self, channels, classes, width, halvings=(4, 4, 4)):
        super().__init__()
        step = steps(halvings[1:])
        w, dropout = [width * 2**level for level in range(5)], (0.05, 0.1, 0.2, 0.3, 0.5)
        self.encoder, self.decoder = nn.Module(), nn.Module()
        self.encoder.in_conv = ConvBlock(channels, w[0], dropout[0])
        for level in range(1, 5):
            self.encoder.add_module(f"down{level}", Down(w[level - 1], w[level], step[level - 1], dropout[level]))
            self.decoder.add_module(f"up{level}", Up(w[5 - level], w[4 - level], step[4 - level]))
        self.decoder.out_conv = nn.Conv2d(width, classes, 3, padding=1)

    def encode(self, x):
        """What the five stages make, the bottleneck last."""
        features = [self.encoder.in_conv(x)]
        for level in range(1, 5):
            features.append(getattr(self.encoder, f"down{level}")(features[-1]))
        return features

    def forward(self, x):
        *skips, x = self.encode(x)
        for level in range(1, 5):
            x = getattr(self.decoder, f"up{level}")(x, skips.pop())
        return self.decoder.out_conv(x)
