"""Generate synthetic reviews and items that resemble real ones (paper, section 2); a seed determines them.

Items and users are long-tailed. Ratings are skewed to 5, and 6.5 % of the reviews are unverified. A third of the
reviews are of a variant, and its asin is not the parent_asin. Few items have prices, and some titles are missing.
Timestamps are in milliseconds. Items belong to styles, and users prefer some styles. Titles consist of words for brand,
garment, material, colour and fit that suit the style, so they carry signal. Time is O(ratings + items).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.synthetic.vocabulary import FITS, SIZES, STYLES, brand_names

UNVERIFIED_SHARE = 0.065
VARIANT_SHARE = 0.35
NULL_TITLE_SHARE = 0.01
PRICE_SHARE = 0.06
# Shares of 1 to 5 stars, as in the paper's ratings.
STAR_SHARES = (0.10, 0.07, 0.11, 0.17, 0.55)
FIRST_MS, LAST_MS = 1_325_376_000_000, 1_672_531_200_000  # 2012 to 2023
BRANDS_PER_STYLE = 12


@dataclass(frozen=True)
class Dataset:
    """Reviews and items, with numbers for users and items.

    Attributes:
        user_id: (num_users,) str. parent_asin: (num_items,) str.
        title: (num_items,) str or None. price: (num_items,) float, NaN if missing.
        style: (num_items,) int, the planted style.
        user_num, item_num, rating, timestamp (ms), verified: (num_ratings,), sorted by time.
        variant: (num_ratings,) int, the number of the variant; 0 is the parent item.
    """

    user_id: NDArray[np.str_]
    parent_asin: NDArray[np.str_]
    title: list[str | None]
    price: NDArray[np.float64]
    style: NDArray[np.int64]
    user_num: NDArray[np.int64]
    item_num: NDArray[np.int64]
    rating: NDArray[np.int64]
    timestamp: NDArray[np.int64]
    verified: NDArray[np.bool_]
    variant: NDArray[np.int64]

    def asin(self) -> NDArray[np.str_]:
        """Return the asin of each rating, (num_ratings,) str: the ID of the variant, or of the parent without one."""
        others = _codes(self.item_num * 4 + self.variant, first_letters="B1")
        return np.where(self.variant > 0, others, self.parent_asin[self.item_num])


def generate(num_users: int, num_items: int, num_ratings: int, seed: int = 0) -> Dataset:
    """Generate a data set of exactly this size; the same arguments give the same data.

    Args:
        num_users: at least 1.
        num_items: at least 1.
        num_ratings: at least `num_users`, because every user writes a review.
        seed: seed of every random choice.
    """
    random = np.random.default_rng(seed)
    style = random.integers(len(STYLES), size=num_items)
    title = _titles(style, random)
    has_title = ~_random_mask(NULL_TITLE_SHARE, num_items, random)
    popularity = (np.arange(num_items) + 3.0) ** -0.9  # long tail
    popularity = popularity[random.permutation(num_items)]
    taste = random.dirichlet(np.full(len(STYLES), 0.15), size=num_users)

    activity = random.lognormal(0.0, 1.0, num_users)
    extra = random.multinomial(num_ratings - num_users, activity / activity.sum())
    user_num = np.repeat(np.arange(num_users), 1 + extra)
    item_num = _choose_items(user_num, taste, style, popularity, random)
    rating = _stars(user_num, item_num, taste, style, random)
    timestamp = _timestamps(user_num, num_users, random)
    order = np.argsort(timestamp, kind="stable")
    return Dataset(
        user_id=_user_ids(num_users, random),
        parent_asin=_codes(np.arange(num_items), first_letters="B0"),
        title=[text if known else None for text, known in zip(title, has_title, strict=True)],
        price=np.where(
            _random_mask(PRICE_SHARE, num_items, random), random.lognormal(3.0, 0.6, num_items).round(2), np.nan
        ),
        style=style,
        user_num=user_num[order],
        item_num=item_num[order],
        rating=rating[order],
        timestamp=timestamp[order],
        verified=~_random_mask(UNVERIFIED_SHARE, num_ratings, random),
        variant=np.where(_random_mask(VARIANT_SHARE, num_ratings, random), random.integers(1, 4, num_ratings), 0),
    )


def _titles(style: NDArray[np.int64], random: np.random.Generator) -> list[str]:
    brands = brand_names(len(STYLES) * BRANDS_PER_STYLE)
    pick = random.random((len(style), 7))
    titles = []
    for number, item_style in enumerate(style.tolist()):
        words, draw = STYLES[item_style], pick[number]
        parts = (
            brands[item_style * BRANDS_PER_STYLE + int(draw[0] ** 2 * BRANDS_PER_STYLE)],
            words.who,
            _one_of(words.materials, draw[1]),
            _one_of(FITS, draw[2]),
            _one_of(words.garments, draw[4]),
            _one_of(words.details, draw[5]),
            _one_of(words.colours, draw[3]),
            _one_of(SIZES, draw[6]),
        )
        titles.append(" ".join(parts))
    return titles


def _one_of(words: Sequence[str], draw: float) -> str:
    return words[int(draw * len(words))]


def _choose_items(
    user_num: NDArray[np.int64],
    taste: NDArray[np.float64],
    style: NDArray[np.int64],
    popularity: NDArray[np.floating],
    random: np.random.Generator,
) -> NDArray[np.int64]:
    """Choose an item for every review: first a style by the user's taste, then an item of the style by popularity."""
    by_style = np.argsort(style, kind="stable")
    cumulative = np.cumsum(popularity[by_style])
    ends = np.append(0.0, cumulative)[np.searchsorted(style[by_style], np.arange(taste.shape[1] + 1))]
    wanted = (np.cumsum(taste, axis=1)[user_num] < random.random(len(user_num))[:, None]).sum(axis=1)
    wanted = np.minimum(wanted, taste.shape[1] - 1)
    anything = _random_mask(0.15, len(user_num), random) | (ends[wanted + 1] == ends[wanted])
    low, high = np.where(anything, 0.0, ends[wanted]), np.where(anything, ends[-1], ends[wanted + 1])
    place = np.searchsorted(cumulative, low + (high - low) * random.random(len(user_num)), side="right")
    return by_style[np.minimum(place, len(style) - 1)]


def _stars(
    user_num: NDArray[np.int64],
    item_num: NDArray[np.int64],
    taste: NDArray[np.float64],
    style: NDArray[np.int64],
    random: np.random.Generator,
) -> NDArray[np.int64]:
    """Draw 1 to 5 stars from the user's generosity, the item's quality, the match of taste and style, and chance."""
    generosity = random.normal(0, 0.5, len(taste))
    quality = random.normal(0, 0.6, len(style))
    liking = (
        generosity[user_num]
        + quality[item_num]
        + 1.2 * np.sqrt(taste[user_num, style[item_num]])
        + random.normal(0, 0.8, len(user_num))
    )
    return 1 + np.searchsorted(np.quantile(liking, np.cumsum(STAR_SHARES)[:-1]), liking)


def _timestamps(user_num: NDArray[np.int64], num_users: int, random: np.random.Generator) -> NDArray[np.int64]:
    joined = FIRST_MS + (LAST_MS - FIRST_MS) * random.beta(2.5, 1.5, num_users)
    stay = (LAST_MS - joined)[user_num] * random.random(len(user_num))
    return (joined[user_num] + stay).astype(np.int64)


def _user_ids(num_users: int, random: np.random.Generator) -> NDArray[np.str_]:
    letters = np.frombuffer(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", np.uint8)
    ids = letters[random.integers(32, size=(num_users, 28))]
    ids[:, 0] = ord("A")
    return ids.view("S28").ravel().astype(np.str_)


def _codes(number: NDArray[np.int64], first_letters: str) -> NDArray[np.str_]:
    """Return distinct IDs of 10 characters for distinct numbers below 36^8; the IDs do not look numbered."""
    scrambled = (number * 1_103_515_243 + 777_777_777) % 36**8  # a bijection, because the factor is coprime to 36
    digits = scrambled[:, None] // 36 ** np.arange(7, -1, -1) % 36
    codes = np.frombuffer(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", np.uint8)[digits]
    return np.char.add(first_letters, np.ascontiguousarray(codes).view("S8").ravel().astype(np.str_))


def _random_mask(share: float, size: int, random: np.random.Generator) -> NDArray[np.bool_]:
    return random.random(size) < share
