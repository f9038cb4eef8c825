"""Fit RecTools' SASRec to sequences of events; runs in the environment of study/requirements-sasrec.txt.

    python worker.py INPUT.npz OUTPUT.npz

INPUT has

- `user_num` and `item_num`: the events, sorted by time,
- `num_users` and `num_items`,
- `settings`: JSON of `Settings`,
- `held_out_user` and `held_out_item`: the events to choose the epochs on; empty for none.

OUTPUT has

- `user` and `item`: embeddings (NaN for unknown users and items); the score is their inner product,
- `validation`: the NDCG at 100 after each epoch.

The model, its negatives, its loss and its optimizer are RecTools' own. `OnlyEvents` skips arithmetic without effect:
most of a batch is padding, and the loss ignores its logits. On a CPU, one product with the whole catalogue is faster
than collecting the embeddings of each position's 257 candidates.
"""

import json
import logging
import sys
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from pytorch_lightning import Callback, LightningModule, Trainer, seed_everything
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import SASRecModel
from rectools.models.nn.transformers.lightning import TransformerLightningModule
from scipy import sparse

DEPTH = 100
BLOCK = 512  # users scored at once
Values = NDArray[np.float32]


@dataclass(frozen=True)
class Settings:
    """The options of a fit; the defaults are those for Amazon Beauty published with eSASRec (RecSys 2025).

    Attributes:
        epochs: the number of epochs; with held-out events, the largest number.
        patience: the number of epochs without a better NDCG on held-out events that ends the fit.
        seed: of initial values, negatives and the order of batches.
    """

    epochs: int = 200
    patience: int = 10
    seed: int = 0
    loss: str = "sampled_softmax"
    n_factors: int = 64
    n_blocks: int = 1
    n_heads: int = 1
    dropout_rate: float = 0.2
    session_max_len: int = 50
    n_negatives: int = 256
    batch_size: int = 128
    lr: float = 0.001


class OnlyEvents(TransformerLightningModule):  # type: ignore[misc]
    """RecTools' module with a training step that skips the logits of padding."""

    def training_step(self, batch: dict[str, torch.Tensor], batch_idx: int) -> torch.Tensor:
        """Return the loss of a batch; it equals the loss of RecTools' own step."""
        event = batch["y"] != 0
        target, weight = batch["y"][event], batch["yw"][event]
        items = self.torch_model.item_model.get_all_embeddings()
        sessions = self.torch_model.encode_sessions(batch, items)[event] / self.logits_t
        logits = sessions @ items.T
        if self._requires_negatives:
            candidates = torch.cat([target[:, None], batch["negatives"][event]], dim=1)
            logits = logits.gather(1, candidates)
        loss: torch.Tensor = self.loss_calculator(logits[None], target[None], weight[None])
        self.log(self.train_loss_name, loss, on_step=False, on_epoch=True)
        return loss


@dataclass(frozen=True)
class Events:
    """The events of a fit.

    Attributes:
        frame: user_id, item_id, datetime and weight, as RecTools expects them.
        num_users, num_items: numbers of users and items, including unknown ones.
        held_out: user and item numbers of the events to choose the epochs on; empty for none.
    """

    frame: pd.DataFrame
    num_users: int
    num_items: int
    held_out: pd.DataFrame

    @classmethod
    def read(cls, arrays: Mapping[str, NDArray[np.int64]]) -> "Events":
        """Return the events of an input file."""
        count = len(arrays["user_num"])
        frame = pd.DataFrame(
            {
                Columns.User: arrays["user_num"],
                Columns.Item: arrays["item_num"],
                Columns.Datetime: pd.to_datetime(np.arange(count), unit="s"),  # only the order counts
                Columns.Weight: 1.0,
            }
        )
        held_out = pd.DataFrame({"user": arrays["held_out_user"], "item": arrays["held_out_item"]})
        return cls(frame, int(arrays["num_users"]), int(arrays["num_items"]), held_out)


class Validation(Callback):  # type: ignore[misc]
    """A callback that measures the NDCG at 100 after each epoch, and ends the training when `patience` ends."""

    def __init__(self, events: Events, patience: int) -> None:
        self.events, self.patience = events, patience
        self.found: list[float] = []

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Measure the NDCG at 100; stop the training if patience ends."""
        user, item = embeddings(pl_module, self.events)
        pl_module.train()
        self.found.append(ndcg(user, item, self.events))
        print(f"epoch {len(self.found)}: NDCG@100 {self.found[-1]:.5f}", flush=True)
        if len(self.found) - 1 - int(np.argmax(self.found)) >= self.patience:
            trainer.should_stop = True


def embeddings(module: LightningModule, events: Events) -> tuple[Values, Values]:
    """Return the embeddings of users and items by number; NaN for users and items that the model does not know."""
    preparator = module.data_preparator
    dataset = Dataset.construct(events.frame)
    users = np.unique(events.frame[Columns.User])
    with warnings.catch_warnings(action="ignore"):  # RecTools warns that items of too short histories are unknown
        known = preparator.transform_dataset_u2i(dataset, users)
    loader = preparator.get_dataloader_recommend(known, BLOCK)
    user_embs, item_embs = module._get_user_item_embeddings(loader, "cpu")
    user = np.full((events.num_users, user_embs.shape[1]), np.nan, np.float32)
    user[known.user_id_map.external_ids.astype(np.int64)] = user_embs.numpy()
    item = np.full((events.num_items, user_embs.shape[1]), np.nan, np.float32)
    known_items = preparator.get_known_item_ids().astype(np.int64)
    item[known_items] = item_embs.detach().numpy()[preparator.n_item_extra_tokens :]
    return user, item


def ndcg(user: Values, item: Values, events: Events) -> float:
    """Return the mean NDCG at 100 of the held-out events, over all items that the user has not seen."""
    shape = events.num_users, events.num_items
    pairs = events.frame[Columns.User], events.frame[Columns.Item]
    seen = sparse.csr_matrix((np.ones(len(events.frame), bool), pairs), shape)
    gains = []
    for begin in range(0, len(events.held_out), BLOCK):
        some = events.held_out[begin : begin + BLOCK]
        score = user[some["user"]] @ item.T
        score[seen[some["user"]].nonzero()] = -np.inf
        own = score[np.arange(len(some)), some["item"]]
        rank = (score > own[:, None]).sum(axis=1)  # NaN is never greater
        gains.append(np.where((rank < DEPTH) & np.isfinite(own), 1 / np.log2(rank + 2), 0))
    return float(np.concatenate(gains).mean())


def fitted(events: Events, settings: Settings) -> tuple[Values, Values, list[float]]:
    """Return the embeddings of users and items, and the NDCG after each epoch if there are held-out events."""
    options = asdict(settings)
    epochs, patience, seed = (options.pop(name) for name in ("epochs", "patience", "seed"))
    seed_everything(seed, verbose=False)
    callbacks = [Validation(events, patience)] if len(events.held_out) else []
    model = SASRecModel(**options, deterministic=True, lightning_module_type=OnlyEvents)
    model._trainer = Trainer(
        max_epochs=epochs,
        deterministic=True,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=callbacks,
    )
    model.fit(Dataset.construct(events.frame))
    copies = [callback for callback in model.fit_trainer.callbacks if isinstance(callback, Validation)]
    return *embeddings(model.lightning_model, events), [value for copy in copies for value in copy.found]


def main(source: Path, target: Path) -> None:
    """Fit the events of one file and write the result to the other."""
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    with np.load(source) as arrays:
        settings = Settings(**json.loads(str(arrays["settings"])))
        events = Events.read(arrays)
    user, item, validation = fitted(events, settings)
    np.savez(target, user=user, item=item, validation=np.array(validation))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
