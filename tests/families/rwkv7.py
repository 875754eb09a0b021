"""RWKV 7 "Goose" in plain torch, after the paper (https://arxiv.org/abs/2503.14456, section 4), for make.py.

transformers has no such model. The parameters are named as in the files that flash-linear-attention (fla) writes and
people publish. Every step is the paper's formula, token by token. fla 0.6.0 itself, run by Triton's interpreter
(TRITON_INTERPRET=1) as it wants a GPU, gives the same logits within 9e-7 of the largest.
"""

import torch
import torch.nn.functional as F
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutputWithPast


class Rwkv7Config(PreTrainedConfig):
    model_type = "rwkv7"

    def __init__(self, hidden_size=32, intermediate_size=None, hidden_ratio=4, num_hidden_layers=2, head_dim=8,
                 decay_low_rank_dim=4, a_low_rank_dim=4, v_low_rank_dim=4, gate_low_rank_dim=4, norm_eps=1e-5,
                 norm_bias=True, fuse_norm=False, hidden_act="sqrelu", vocab_size=160, **kwargs):
        self.hidden_size, self.num_hidden_layers, self.head_dim = hidden_size, num_hidden_layers, head_dim
        self.intermediate_size, self.hidden_ratio = intermediate_size, hidden_ratio
        self.decay_low_rank_dim, self.a_low_rank_dim = decay_low_rank_dim, a_low_rank_dim
        self.v_low_rank_dim, self.gate_low_rank_dim = v_low_rank_dim, gate_low_rank_dim
        self.norm_eps, self.norm_bias, self.fuse_norm = norm_eps, norm_bias, fuse_norm
        self.hidden_act, self.vocab_size = hidden_act, vocab_size
        super().__init__(**kwargs)


class LowRank(nn.Module):
    def __init__(self, size, rank, between, bias=True):
        super().__init__()
        self.lora = nn.Sequential(nn.Linear(size, rank, bias=False), between, nn.Linear(rank, size, bias=bias))

    def forward(self, x):
        return self.lora(x)


def before(x):
    """Each token's predecessor, zeros before the first."""
    return F.pad(x, (0, 0, 1, -1))


class TimeMix(nn.Module):
    def __init__(self, config, layer):
        super().__init__()
        size = config.hidden_size
        self.config, self.layer = config, layer
        for part in "rwkvag":
            setattr(self, f"x_{part}", nn.Parameter(torch.empty(1, 1, size)))
        self.k_k, self.k_a = nn.Parameter(torch.empty(size)), nn.Parameter(torch.empty(size))
        self.r_k = nn.Parameter(torch.empty(size // config.head_dim, config.head_dim))
        for part in "rkvo":
            setattr(self, f"{part}_proj", nn.Linear(size, size, bias=False))
        self.w_lora = LowRank(size, config.decay_low_rank_dim, nn.Tanh())
        self.a_lora = LowRank(size, config.a_low_rank_dim, nn.Identity())
        self.g_lora = LowRank(size, config.gate_low_rank_dim, nn.Sigmoid(), bias=False)
        if layer > 0:
            self.v_lora = LowRank(size, config.v_low_rank_dim, nn.Identity())
        self.g_norm = nn.GroupNorm(size // config.head_dim, size, eps=config.head_dim * config.norm_eps)

    def forward(self, x, v_first):
        batch, tokens, size = x.shape
        heads = lambda t: t.view(batch, tokens, -1, self.config.head_dim)
        xr, xw, xk, xv, xa, xg = (x + (before(x) - x) * getattr(self, f"x_{part}") for part in "rwkvag")
        r, k, v = self.r_proj(xr), self.k_proj(xk), self.v_proj(xv)
        w = torch.exp(-torch.exp(torch.tensor(-0.5)) * torch.sigmoid(self.w_lora(xw)))
        a, g = torch.sigmoid(self.a_lora(xa)), self.g_lora(xg)
        if self.layer == 0:
            v_first = v
        else:
            v = v + (v_first - v) * torch.sigmoid(self.v_lora(xv))
        kappa = heads(k * self.k_k)
        if self.config.fuse_norm:
            kappa = kappa / torch.sqrt(kappa.square().sum(-1, keepdim=True) + 1e-6)
        else:
            kappa = F.normalize(kappa, dim=-1)
        k = k * (1 + (a - 1) * self.k_a)
        r, w, k, v, a = map(heads, (r, w, k, v, a))
        # wkv state [value, key] of each head
        state = torch.zeros(batch, r.shape[2], self.config.head_dim, self.config.head_dim, dtype=x.dtype)
        out = torch.empty_like(v)
        for t in range(tokens):
            removed = (state @ kappa[:, t].unsqueeze(-1)) @ (a[:, t] * kappa[:, t]).unsqueeze(-2)
            state = state * w[:, t].unsqueeze(-2) - removed + v[:, t].unsqueeze(-1) @ k[:, t].unsqueeze(-2)
            out[:, t] = (state @ r[:, t].unsqueeze(-1)).squeeze(-1)
        out = self.g_norm(out.view(batch * tokens, size)).view(batch, tokens, size)
        bonus = (r * k * self.r_k).sum(-1, keepdim=True) * v
        return self.o_proj((out + bonus.view(batch, tokens, size)) * g), v_first


class ChannelMix(nn.Module):
    def __init__(self, config):
        super().__init__()
        size = config.hidden_size
        wide = config.intermediate_size or 32 * -(-int(size * config.hidden_ratio) // 32)
        self.x_k = nn.Parameter(torch.empty(size))
        self.key, self.value = nn.Linear(size, wide, bias=False), nn.Linear(wide, size, bias=False)

    def forward(self, x):
        return self.value(torch.relu(self.key(x + (before(x) - x) * self.x_k)).square())


class Block(nn.Module):
    def __init__(self, config, layer):
        super().__init__()
        norm = lambda: nn.LayerNorm(config.hidden_size, eps=config.norm_eps, bias=config.norm_bias)
        if layer == 0:
            self.pre_norm = norm()
        self.attn_norm, self.ffn_norm = norm(), norm()
        self.attn, self.ffn = TimeMix(config, layer), ChannelMix(config)

    def forward(self, x, v_first):
        if hasattr(self, "pre_norm"):
            x = self.pre_norm(x)
        mixed, v_first = self.attn(self.attn_norm(x), v_first)
        x = x + mixed
        return x + self.ffn(self.ffn_norm(x)), v_first


class Rwkv7Model(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.embeddings = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(Block(config, layer) for layer in range(config.num_hidden_layers))
        self.norm = nn.LayerNorm(config.hidden_size, eps=config.norm_eps, bias=config.norm_bias)


class RWKV7ForCausalLM(PreTrainedModel):
    config_class = Rwkv7Config

    def __init__(self, config):
        super().__init__(config)
        self.model = Rwkv7Model(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()

    def _init_weights(self, module):
        pass  # make.py does

    def forward(self, input_ids, **kwargs):
        x, v_first = self.model.embeddings(input_ids), None
        for layer in self.model.layers:
            x, v_first = layer(x, v_first)
        return CausalLMOutputWithPast(logits=self.lm_head(self.model.norm(x)))


AutoConfig.register("rwkv7", Rwkv7Config)
AutoModelForCausalLM.register(Rwkv7Config, RWKV7ForCausalLM)
