"""Steps of Semi-AGCL and of bidirectional copy-paste (BCP) in PyTorch, the same work as semiagcl/ on batches that are ready:
student, teacher, all losses, patches, memory bank, averaging. What they cost is measured, not what they learn: the batches
are blobs. Equations are the paper's; B images, C classes, P patches per image, D numbers per key.
"""
import copy

import torch
from torch import nn
from torch.nn import functional as F


def dice_ce(logits, truth, where=None):
    """L_sup: half cross-entropy, half Dice over all classes; `where` [B, …] 0 or 1 is what counts."""
    where = torch.ones_like(truth, dtype=logits.dtype) if where is None else where
    ce = (F.cross_entropy(logits, truth, reduction="none") * where).sum() / where.sum().clamp_min(1)
    p, w = logits.softmax(1), where.unsqueeze(1)
    t = F.one_hot(truth, logits.shape[1]).movedim(-1, 1).to(p.dtype)
    axes = [0, *range(2, p.dim())]
    dice = (2 * (p * t * w).sum(axes) + 1e-5) / ((p * p * w).sum(axes) + (t * w).sum(axes) + 1e-5)
    return 0.5 * (ce + 1 - dice.mean())


def patches(x, grid):
    """[B, C, …] -> [B, P, C, …] of a grid of patches."""
    parts = [n // g for n, g in zip(x.shape[2:], grid)]
    x = x.reshape(*x.shape[:2], *(v for pair in zip(grid, parts) for v in pair))
    axes = range(len(grid))
    return x.permute(0, *(2 + 2 * a for a in axes), 1, *(3 + 2 * a for a in axes)).flatten(1, len(grid))


def affinity(teacher, student, grid):
    """Eq. 2 on the probabilities of each image's patches [B, P, P]; σ² is half the median distance of teacher to teacher."""
    t, s = (patches(p, grid).flatten(2) for p in (teacher, student))
    scale = (t.shape[2] / teacher.shape[1]) ** -0.5
    t, s = t * scale, s * scale
    between = lambda a, b: (a.unsqueeze(2) - b.unsqueeze(1)).square().sum(3)
    with torch.no_grad():
        off = between(t, t)[:, ~torch.eye(t.shape[1], dtype=torch.bool)]
        sigma2 = (0.5 * off.median(1).values).clamp(1e-4, 1).view(-1, 1, 1)
    return torch.exp(-between(t, s) / (2 * sigma2))


def affinity_loss(a, c_nuc=0.5):
    """Eq. 3: the nuclear norm less the trace."""
    norm = torch.linalg.svdvals(a).sum(1)
    return ((c_nuc * norm - a.diagonal(dim1=1, dim2=2).sum(1)) / a.shape[1]).mean()


def entropy_scores(x, c, grid):
    """Eq. 1: the mean entropy of the image times the class's probability, of each patch and class [B, P, C]."""
    grey = x.mean(1, keepdim=True)
    low, high = torch.quantile(grey.flatten(1), torch.tensor([0.005, 0.995]), dim=1).view(2, -1, *[1] * (x.dim() - 1))
    a = (((grey - low) / (high - low).clamp_min(1e-6)).clamp(0, 1) * c).clamp(1e-6, 1 - 1e-6)
    return patches(-a * a.log() - (1 - a) * (1 - a).log(), grid).flatten(3).mean(3)


class Bank:
    """The keys of each class and their affinities, the oldest overwritten."""

    def __init__(self, classes, size, dim):
        self.keys, self.a = torch.zeros(classes, size, dim), torch.zeros(classes, size)
        self.filled, self.at, self.theta = [0] * classes, [0] * classes, 0.5

    @torch.no_grad()
    def store(self, k, keys, a):
        size = self.a.shape[1]
        where = (self.at[k] + torch.arange(len(a))) % size
        self.keys[k, where], self.a[k, where] = keys, a
        self.at[k], self.filled[k] = (self.at[k] + len(a)) % size, min(self.filled[k] + len(a), size)

    def others(self, k):
        parts = [(self.keys[j, :n], self.a[j, :n]) for j, n in enumerate(self.filled) if j != k]
        return torch.cat([keys for keys, _ in parts]), torch.cat([a for _, a in parts])

    def move_threshold(self):
        a = torch.cat([self.a[k, :n] for k, n in enumerate(self.filled)])
        if len(a):
            self.theta = min(max(0.99 * self.theta + 0.01 * float(a.median()), 0.05), 0.95)


@torch.no_grad()
def hard_negatives(q, keys, a, theta, closest, count):
    """Eq. 6: mixtures of two of the closest keys of other classes, one of them of an affinity below θ; [anchors, count, D]."""
    near = (q @ keys.T).topk(min(closest, len(keys)), 1).indices
    fits = (a[near] <= theta).float()
    fits[fits.sum(1) < 2] = 1
    i = near.gather(1, torch.multinomial(fits, count, replacement=True))
    j = near.gather(1, torch.randint(near.shape[1], (len(q), count)))
    w = a[i].unsqueeze(2)
    return F.normalize(w * keys[i] + (1 - w) * keys[j], dim=2)


def contrastive_loss(q, positives, negatives, tau=0.2):
    """Eq. 7: the mean over anchors and positives."""
    near = q @ positives.T / tau
    far = torch.einsum("nd,nhd->nh", q, negatives).div(tau).logsumexp(1, keepdim=True)
    return (torch.logaddexp(near, far) - near).mean()


class Method:
    """`name`: semi-agcl (preset stable), mixed (the same with the mask M) or bcp."""

    def __init__(self, name, network, width, classes, grid, bank=1024, closest=64, hard=64, hidden=128, dim=128, top=20):
        head = nn.Sequential(nn.Linear(16 * width, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, dim))
        self.name, self.classes, self.grid, self.top, self.closest, self.hard = name, classes, grid, top, closest, hard
        self.student, self.head = network, head
        self.teacher, self.teacher_head = copy.deepcopy(network), copy.deepcopy(head)
        for module in self.teacher.modules():
            if isinstance(module, (nn.Dropout, nn.Dropout3d)):
                module.p = 0.0
        self.bank = Bank(classes, bank, dim)
        own = [network] if name == "bcp" else [network, head]
        self.optimiser = torch.optim.Adam([p for module in own for p in module.parameters()], 1e-3)

    def step(self, batch):
        """weak, strong [B, channels, …], the first half labelled by truth [B / 2, …]; mask [B / 2, …] 0 in the box."""
        loss = self.on_mixed(batch) if self.name in ("mixed", "bcp") else self.on_views(batch)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()
        with torch.no_grad():
            for teacher, student in ((self.teacher, self.student), (self.teacher_head, self.head)):
                torch._foreach_lerp_(list(teacher.parameters()), list(student.parameters()), 0.01)
        return loss.detach()

    def one_hot(self, truth):
        return F.one_hot(truth, self.classes).movedim(-1, 1).float()

    def on_views(self, batch):
        n = len(batch["truth"])
        logits = self.student(batch["strong"])
        with torch.no_grad():
            seen = self.teacher(batch["weak"]).softmax(1)
        a = affinity(seen[n:], logits[n:].softmax(1), self.grid)
        found = torch.cat([self.one_hot(batch["truth"]), seen[n:]])
        return (dice_ce(logits[:n], batch["truth"]) + dice_ce(logits[n:], seen[n:].argmax(1)) + 0.2 * affinity_loss(a)
                + 0.1 * self.contrast(batch["weak"], batch["strong"], logits, seen, found))

    def on_mixed(self, batch):
        n, m = len(batch["truth"]), batch["mask"].unsqueeze(1)
        with torch.no_grad():
            seen = self.teacher(batch["weak"][n:]).softmax(1)
        both = lambda l, u: torch.cat([l * m + u * (1 - m), u * m + l * (1 - m)])
        strong = both(batch["strong"][:n], batch["strong"][n:])
        logits, known = self.student(strong), torch.cat([batch["mask"], 1 - batch["mask"]])
        truth, pseudo = batch["truth"].repeat(2, *[1] * (m.dim() - 2)), seen.argmax(1).repeat(2, *[1] * (m.dim() - 2))
        loss = dice_ce(logits, truth, known) + 0.5 * dice_ce(logits, pseudo, 1 - known)
        if self.name == "bcp":
            return loss
        found, weak = both(self.one_hot(batch["truth"]), seen), both(batch["weak"][:n], batch["weak"][n:])
        a = affinity(found, logits.softmax(1), self.grid)
        return loss + 0.2 * affinity_loss(a) + 0.1 * self.contrast(weak, strong, logits, found, found)

    def contrast(self, weak, strong, logits, seen, found):
        """L_RW: the patches of Eq. 1 through both encoders, against mixtures from the bank."""
        with torch.no_grad():
            a = affinity(seen, logits.detach().softmax(1), self.grid).diagonal(dim1=1, dim2=2).flatten()
            sure = patches(found, self.grid).flatten(3).mean(3).flatten(0, 1)
            scores = entropy_scores(weak, found, self.grid).flatten(0, 1)
            most = max(1, min(self.top, len(scores) // 4))
            picks = [best[sure[best, k] >= 0.01] for k, best in enumerate(scores.topk(most, 0).indices.T)]
            attention = patches(found, self.grid).flatten(0, 1)
        attended = lambda x: torch.cat([patches(x, self.grid).flatten(0, 1)[p] * attention[p, k:k + 1]
                                        for k, p in enumerate(picks)])
        embed = lambda net, head, x: F.normalize(head(net.encode(attended(x))[-1].flatten(2).mean(2)), dim=1)
        with torch.no_grad():
            keys = embed(self.teacher, self.teacher_head, weak).split([len(p) for p in picks])
        anchors = embed(self.student, self.head, strong).split([len(p) for p in picks])
        terms = []
        for k, q in enumerate(anchors):
            negatives, of_them = self.bank.others(k)
            if len(q) and len(negatives) >= 16:
                hard = hard_negatives(q.detach(), negatives, of_them, self.bank.theta, self.closest, self.hard)
                terms.append(contrastive_loss(q, keys[k], hard))
        for k, p in enumerate(picks):
            self.bank.store(k, keys[k], a[p])
        self.bank.move_threshold()
        return sum(terms) / len(terms) if terms else logits.new_zeros(())
