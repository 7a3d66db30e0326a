"""Trains item vectors and a user encoder on a folder of `streamrec graph export` and writes what `streamrec models import` takes.

    python3 train.py GRAPH OUT [--epochs 30] [--dim 64]          torchrun --nproc-per-node 2 train.py GRAPH OUT

Item vectors: LayerNorm(E + LGConv(LGConv(E))) over the user-item graph of the training events. User: the causal transformer of src/Model/UserEncoder.cs
over the newest events. Loss: full softmax over the items, next event. Only events before graph.json's train_end are read."""
import argparse, json, os, random
import numpy as np
import torch, torch.distributed as dist
from torch import nn
from torch.nn import functional as F
from torch_geometric.nn import LGConv
from safetensors.numpy import save_file

TYPE_ROWS, VALUE_ROWS, TIME_ROWS = 32, 12, 32


def time_row(ms):
    """1 + min(30, floor(log2(1 + seconds))), as Buckets.Time."""
    seconds = np.maximum(0, ms) // 1000
    return 1 + np.minimum(TIME_ROWS - 2, np.floor(np.log2(1.0 + seconds)).astype(np.int64))


def value_row(value):
    return np.where(np.isnan(value), 0, 1 + np.clip(np.round(np.nan_to_num(value)), 0, VALUE_ROWS - 2)).astype(np.int64)


class Attention(nn.Module):
    def __init__(self, d, heads):
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v, self.o = (nn.Linear(d, d) for _ in range(4))

    def forward(self, x, p):
        b, n, d = x.shape
        split = lambda t: t.view(b, n, self.heads, d // self.heads).transpose(1, 2)
        y = F.scaled_dot_product_attention(split(self.q(x)), split(self.k(x)), split(self.v(x)), is_causal=True, dropout_p=p if self.training else 0)
        return self.o(y.transpose(1, 2).reshape(b, n, d))


class Block(nn.Module):
    def __init__(self, d, heads, ffn, p):
        super().__init__()
        self.p = p
        self.ln1, self.ln2, self.attn = nn.LayerNorm(d), nn.LayerNorm(d), Attention(d, heads)
        self.ffn = nn.ModuleList([nn.Linear(d, ffn), nn.Linear(ffn, d)])

    def forward(self, x):
        drop = lambda t: F.dropout(t, self.p, self.training)
        x = x + drop(self.attn(self.ln1(x), self.p))
        return x + drop(self.ffn[1](drop(F.gelu(self.ffn[0](self.ln2(x))))))


class UserEncoder(nn.Module):
    """x[t] = item·√d + pos + type + value + ask, blocks, LayerNorm: names and shapes as src/Model/UserEncoder.cs reads them."""

    def __init__(self, d, heads, blocks, history, ffn, p):
        super().__init__()
        self.d, self.p = d, p
        table = lambda rows: nn.Parameter(torch.randn(rows, d) * 0.02)
        # A module has a method of its own named type.
        self.pos, self.type_, self.value, self.ask = table(history), table(TYPE_ROWS), table(VALUE_ROWS), table(TIME_ROWS)
        self.register_buffer("gap", torch.zeros(TIME_ROWS, d))
        self.blocks = nn.ModuleList([Block(d, heads, ffn, p) for _ in range(blocks)])
        self.ln = nn.LayerNorm(d)

    def forward(self, items, item, kind, value, ask):
        x = items[item] * self.d ** 0.5 + self.pos[: item.shape[1]] + self.type_[kind] + self.value[value] + self.ask[ask]
        x = F.dropout(x, self.p, self.training)
        for block in self.blocks:
            x = block(x)
        return self.ln(x)


class Model(nn.Module):
    def __init__(self, graph, edges, a):
        super().__init__()
        self.users, self.items = graph["users"], graph["items"]
        self.table = nn.Parameter(torch.randn(self.items, a.dim) * 0.5)
        self.bias = nn.Parameter(torch.zeros(self.items))
        self.conv, self.norm = LGConv(), nn.LayerNorm(a.dim)
        nn.init.constant_(self.norm.weight, a.dim ** -0.5)
        u, i = edges[0], edges[1] + self.users
        self.register_buffer("edges", torch.stack([torch.cat([u, i]), torch.cat([i, u])]))
        self.user = UserEncoder(a.dim, a.heads, a.blocks, a.history, a.ffn, a.dropout)

    def vectors(self):
        x = torch.cat([self.table.new_zeros(self.users, self.table.shape[1]), self.table])
        return self.norm(self.table + self.conv(self.conv(x, self.edges), self.edges)[self.users:])

    def forward(self, batch):
        items = self.vectors()
        hidden = self.user(items, *batch[:4])
        asked = batch[4] >= 0
        return F.cross_entropy(hidden[asked] @ items.t() + self.bias, batch[4][asked], label_smoothing=0.1)


def histories(folder, graph):
    """Per user (item, type, value row, time) of the training events, oldest first."""
    end = graph["train_end"]
    load = lambda name: np.load(f"{folder}/{name}.npy", mmap_mode="r")[:end]
    user, order = load("user"), np.argsort(load("user"), kind="stable")
    columns = [np.asarray(load("item"))[order].astype(np.int64), np.asarray(load("type"))[order].astype(np.int64), value_row(np.asarray(load("value")))[order], np.asarray(load("time_ms"))[order]]
    cuts = np.flatnonzero(np.diff(user[order])) + 1
    return [h for h in zip(*(np.split(c, cuts) for c in columns)) if len(h[0]) > 1]


def batches(all_histories, length, tokens, rng):
    pieces = []
    for h in all_histories:
        first = rng.integers(1, length + 1) if len(h[0]) - 1 > length else length
        a, e = 0, first
        while a < len(h[0]) - 1:
            pieces.append((h, a, min(e, len(h[0]) - 1)))
            a, e = e, e + length
    pieces.sort(key=lambda p: (p[2] - p[1]) + rng.random() * 4)
    groups, group = [], []
    for p in pieces:
        if group and (len(group) + 1) * (p[2] - p[1]) > tokens:
            groups.append(group)
            group = []
        group.append(p)
    groups.append(group)
    rng.shuffle(groups)
    for g in groups:
        n = max(e - a for _, a, e in g)
        item, kind, value, ask, target = (np.zeros((len(g), n), np.int64) for _ in range(5))
        target -= 1
        for r, ((i, k, v, t), a, e) in enumerate(g):
            m = e - a
            item[r, :m], kind[r, :m], value[r, :m], target[r, :m] = i[a:e], k[a:e], v[a:e], i[a + 1:e + 1]
            ask[r, :m] = time_row(t[a + 1:e + 1] - t[a:e])
        yield [torch.from_numpy(x) for x in (item, kind, value, ask, target)]


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("graph"), ap.add_argument("out")
    for name, value in dict(epochs=30, dim=64, heads=2, blocks=2, history=50, ffn=64, tokens=512, seed=0).items():
        ap.add_argument(f"--{name}", type=int, default=value)
    ap.add_argument("--dropout", type=float, default=0.3), ap.add_argument("--rate", type=float, default=0.002)
    a = ap.parse_args()
    ranks = int(os.environ.get("WORLD_SIZE", 1))
    if ranks > 1:
        dist.init_process_group("gloo")
    rank = dist.get_rank() if ranks > 1 else 0
    torch.manual_seed(a.seed), random.seed(a.seed)
    graph = json.load(open(f"{a.graph}/graph.json"))
    if graph["format"] != 1:
        raise SystemExit(f"{a.graph}/graph.json is of format {graph['format']}; this script reads 1")
    model = Model(graph, torch.from_numpy(np.load(f"{a.graph}/edge_index.npy")), a)
    net = nn.parallel.DistributedDataParallel(model) if ranks > 1 else model
    known, rng = histories(a.graph, graph), np.random.default_rng(a.seed + rank)
    opt = torch.optim.AdamW(model.parameters(), lr=a.rate, betas=(0.9, 0.98), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(opt, a.epochs)
    for epoch in range(a.epochs):
        model.train()
        losses, own = [], list(batches(known[rank::ranks], a.history, a.tokens, rng))
        steps = len(own)
        if ranks > 1:  # every process takes as many steps as the one with fewest batches
            fewest = torch.tensor(steps)
            dist.all_reduce(fewest, dist.ReduceOp.MIN)
            steps = int(fewest)
        for batch in own[:steps]:
            loss = net(batch)
            opt.zero_grad(set_to_none=True), loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            opt.step(), losses.append(loss.item())
        schedule.step()
        if rank == 0:
            print(f"epoch {epoch + 1}: loss {np.mean(losses):.4f}", flush=True)
    if rank == 0:
        write(model.eval(), graph, a, float(np.mean(losses)))


@torch.no_grad()
def write(model, graph, a, loss):
    os.makedirs(a.out, exist_ok=True)
    tensors = {"item.vectors": model.vectors(), "item.bias": model.bias} | {f"user.{k.rstrip('_')}": v for k, v in model.user.state_dict().items()}
    save_file({k: np.ascontiguousarray(v.float().numpy()) for k, v in tensors.items()}, f"{a.out}/model.safetensors")
    items = [json.loads(line)["item_id"] for line in open(f"{a.graph}/items.jsonl", encoding="utf-8")]
    json.dump(items, open(f"{a.out}/items.json", "w"))
    until = int(np.load(f"{a.graph}/time_ms.npy", mmap_mode="r")[graph["train_end"] - 1])
    encoder = dict(dim=a.dim, heads=a.heads, blocks=a.blocks, max_history=a.history, ffn=a.ffn, type_rows=TYPE_ROWS, value_rows=VALUE_ROWS, time_rows=TIME_ROWS)
    manifest = dict(format=1, trainer=f"train.py, torch {torch.__version__}, {a.epochs} epochs", until_ms=until, encoder=encoder, metrics=dict(loss=loss))
    json.dump(manifest, open(f"{a.out}/external.json", "w"), indent=1)
    print(f"written: {a.out}")


if __name__ == "__main__":
    main()
