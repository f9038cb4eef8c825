"""The words of the synthetic catalogue: styles with matching garments, materials, colours and details."""

from dataclasses import dataclass
from itertools import islice, product


@dataclass(frozen=True)
class Style:
    """The words for the titles of one style; no other style uses its first six colours."""

    who: str
    garments: tuple[str, ...]
    materials: tuple[str, ...]
    colours: tuple[str, ...]
    details: tuple[str, ...]


FITS = ("Slim Fit", "Relaxed", "Oversized", "Classic", "Stretch", "High Waist", "Casual", "Tailored", "Loose", "Petite")
SIZES = ("X-Small", "Small", "Medium", "Large", "X-Large", "XX-Large", "One Size")

STYLES = (
    Style("Women's", ("Maxi Dress", "Sundress", "Wrap Skirt", "Kimono Cardigan", "Peasant Blouse"),
          ("Chiffon", "Rayon", "Crochet", "Gauze"), ("Ivory", "Terracotta", "Sage", "Mustard", "Rust", "Sand"),
          ("with Boho Floral Print", "with Bell Sleeves", "with Tassel Ties", "for Summer Beach")),
    Style("Women's", ("Yoga Leggings", "Sports Bra", "Racerback Tank", "Workout Shorts", "Track Jacket"),
          ("Spandex", "Nylon", "Mesh", "Moisture Wicking"), ("Black", "Teal", "Coral", "Graphite", "Neon Pink", "Plum"),
          ("with Pockets", "for Running Gym", "with Tummy Control", "Seamless")),
    Style("Women's", ("Cocktail Dress", "Evening Gown", "Bodycon Dress", "Sequin Top", "Stiletto Heels"),
          ("Satin", "Velvet", "Sequin", "Lace"), ("Burgundy", "Emerald", "Gold", "Midnight", "Champagne", "Silver"),
          ("for Wedding Party", "with V Neck", "with Side Slit", "Off Shoulder")),
    Style("Women's", ("Pendant Necklace", "Hoop Earrings", "Charm Bracelet", "Stud Earrings", "Anklet"),
          ("Sterling Silver", "Rose Gold Plated", "Cubic Zirconia", "Freshwater Pearl"),
          ("Crystal", "Turquoise", "Amethyst", "Opal", "Sapphire", "Clear"),
          ("Gift Box Included", "Hypoallergenic", "for Mom Birthday", "with Adjustable Chain")),
    Style("Men's", ("Oxford Shirt", "Dress Pants", "Suit Vest", "Necktie", "Blazer"),
          ("Cotton", "Wool Blend", "Silk", "Twill"), ("Navy", "Charcoal", "White", "Light Blue", "Grey", "Maroon"),
          ("Wrinkle Free", "for Business Office", "with French Cuffs", "Two Button")),
    Style("Men's", ("Cargo Pants", "Flannel Shirt", "Work Boots", "Utility Jacket", "Henley"),
          ("Canvas", "Ripstop", "Flannel", "Leather"), ("Olive", "Khaki", "Brown", "Camo", "Tan", "Red Plaid"),
          ("with Multi Pockets", "for Hiking Outdoor", "Water Resistant", "Steel Toe")),
    Style("Men's", ("Graphic T-Shirt", "Hoodie", "Joggers", "Snapback Cap", "Basketball Shorts"),
          ("Fleece", "Jersey", "French Terry", "Polyester"),
          ("Heather Grey", "Royal", "Black", "Red", "Orange", "Lime"),
          ("Funny Novelty Gift", "Vintage Retro Logo", "with Drawstring", "Streetwear")),
    Style("Unisex", ("Polarized Sunglasses", "Aviator Sunglasses", "Reading Glasses", "Sports Goggles", "Eyeglasses"),
          ("Acetate", "Metal Frame", "TR90", "Polycarbonate"),
          ("Tortoise", "Matte Black", "Mirror Blue", "Amber", "Gunmetal", "Clear Lens"),
          ("UV400 Protection", "for Driving Fishing", "with Case", "Anti Glare")),
    Style("Unisex", ("Analog Watch", "Digital Watch", "Chronograph Watch", "Watch Band", "Skeleton Watch"),
          ("Stainless Steel", "Silicone", "Leather Strap", "Titanium"),
          ("Silver Dial", "Blue Dial", "Rose Dial", "Black Dial", "White Dial", "Green Dial"),
          ("Waterproof 50M", "with Date Calendar", "Luminous Hands", "Quartz Movement")),
    Style("Kids", ("Romper", "Pajama Set", "Tutu Dress", "Toddler Sneakers", "Bodysuit"),
          ("Organic Cotton", "Tulle", "Bamboo", "Terry"), ("Pastel Pink", "Sky", "Mint", "Lemon", "Lavender", "Peach"),
          ("with Dinosaur Print", "for Baby Girls Boys", "Unicorn Rainbow", "3 Piece Outfit")),
    Style("Women's", ("Tote Bag", "Crossbody Purse", "Clutch", "Backpack", "Wristlet Wallet"),
          ("Vegan Leather", "Nubuck", "Straw", "Quilted"), ("Cognac", "Blush", "Taupe", "Stone", "Oxblood", "Cream"),
          ("with Chain Strap", "RFID Blocking", "for Travel Work", "with Zipper Pocket")),
    Style("Unisex", ("Wool Socks", "Beanie", "Knit Scarf", "Touchscreen Gloves", "Thermal Underwear"),
          ("Merino", "Cashmere", "Acrylic Knit", "Sherpa"), ("Oatmeal", "Forest", "Wine", "Denim", "Snow", "Ash"),
          ("for Cold Weather", "Fleece Lined", "6 Pairs", "Winter Warm")),
)  # fmt: skip

# Stars -> (title, text) of reviews.
REVIEWS = {
    1: (("One Star", "Fell apart after one wash."), ("Disappointed", "Not at all like the picture.")),
    2: (("Two Stars", "Runs very small."), ("Meh", "The material feels cheap.")),
    3: (("Three Stars", "It is okay for the price."), ("Okay", "Nice colour, odd fit.")),
    4: (("Four Stars", "Good quality, a little long."), ("Nice", "Comfortable and as described.")),
    5: (("Five Stars", "Love it!"), ("Perfect", "Fits great and looks even better."), ("Great", "Would buy again.")),
}


def brand_names(count: int) -> list[str]:
    """Return the first `count` of 1,152 invented brand names."""
    starts = ("Zo", "Ka", "Lu", "Ve", "Mi", "Ra", "To", "Be", "Sy", "Da", "No", "Fi")
    middles = ("ri", "la", "ve", "no", "sa", "mo", "ne", "ly")
    ends = ("va", "rell", "nia", "dor", "xy", "mont", "line", "wear", "sy", "ta", "que", "bell")
    pairs = sorted(product(starts, middles, ends), key=lambda parts: stable_hash("".join(parts)))
    return ["".join(parts) for parts in islice(pairs, count)]


def stable_hash(text: str) -> int:
    """Return a hash that is the same in every run; it shuffles the names."""
    value = 0
    for character in text:
        value = (value * 131 + ord(character)) % 1_000_003
    return value
