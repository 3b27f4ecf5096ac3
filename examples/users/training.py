"""Train a small convolutional network on handwritten digits, in PyTorch; the argument is the seed."""

# mypy: ignore-errors

import sys

import torch
from sklearn.datasets import load_digits
from torch import nn

seed = int(sys.argv[1]) if len(sys.argv) > 1 else 0
torch.manual_seed(seed)
images, labels = map(torch.tensor, load_digits(return_X_y=True))
images, order = images.float().reshape(-1, 1, 8, 8) / 16, torch.randperm(len(images))
training, validation = order[:600], order[600:1200]


class Residual(nn.Module):
    """Add what a convolution makes of an image to the image."""

    def __init__(self, width, activation):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width)
        self.activation = activation

    def forward(self, x):
        return x + self.activation(self.norm(self.conv(x)))


def train(model, learning_rate):
    """Return the validation accuracy after some epochs."""
    optimizer = torch.optim.SGD(model.parameters(), lr=learning_rate, momentum=0.9)
    model.train()
    for _ in range(4):
        for batch in torch.randperm(len(training)).split(50):
            rows = training[batch]
            loss = nn.functional.cross_entropy(model(images[rows]), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    model.eval()
    with torch.no_grad():
        return (model(images[validation]).argmax(1) == labels[validation]).float().mean().item()


width, activation, learning_rate = 8, nn.ReLU(), 0.01
blocks = [Residual(width, activation), nn.MaxPool2d(2), Residual(width, activation)]
model = nn.Sequential(nn.Conv2d(1, width, 3, padding=1), *blocks, nn.Flatten(), nn.LazyLinear(10))

print(f"validation accuracy {train(model, learning_rate):.4f}")
