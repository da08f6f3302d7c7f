//! The shop's vocabulary: departments, categories and styles.

/// Categories of the shop.
pub(super) const CATEGORY_COUNT: usize = 24;

/// Latent styles of items and tastes.
pub(super) const STYLE_COUNT: usize = 8;

/// A category.
pub(super) struct Category {
    pub(super) department: &'static str,
    pub(super) name: &'static str,
    /// Begins the codes of its items.
    pub(super) code: &'static str,
    pub(super) nouns: [&'static str; 6],
    pub(super) materials: [&'static str; 4],
    /// Price in the middle, in the shop's currency.
    pub(super) median_price: f64,
    /// Month of the most visits, 1 to 12, and how many times as many as in the opposite month.
    pub(super) season: (u8, f64),
    /// Indices of the categories that complement it.
    pub(super) complements: [usize; 2],
}

/// Words in an item's name by style: a style is what these items share, and what a taste is a mixture over.
pub(super) const STYLES: [[&str; 8]; STYLE_COUNT] = [
    ["Vintage Rose", "Antique Cream", "Heirloom", "Faded Damask", "Sepia", "Parlour", "Old Lace", "Regency"],
    ["Nordic White", "Birch Grey", "Fjord Blue", "Hygge", "Snowdrop", "Pebble", "Stockholm", "Frost"],
    ["Wild Meadow", "Bluebell", "Peony", "Botanical", "Cottage Garden", "Sweet Pea", "Poppy", "Lavender"],
    ["Foundry Black", "Gunmetal", "Loft", "Raw Edge", "Riveted", "Warehouse", "Slate", "Brass Pipe"],
    ["Harbour Stripe", "Driftwood", "Sea Glass", "Lighthouse", "Coral", "Anchor", "Sandy Cove", "Gull"],
    ["Woodland Fox", "Circus", "Dinosaur", "Rainbow", "Spaceboy", "Dolly Girl", "Jungle", "Little Owl"],
    ["Farmhouse", "Burnt Oak", "Harvest", "Gingham Red", "Hayloft", "Barley", "Heather", "Copper Kettle"],
    ["Sage Green", "Mustard", "Terrazzo", "Charcoal Line", "Blush", "Teal Arc", "Ochre", "Midnight"],
];

#[rustfmt::skip] // One category is read as one block of four lines.
pub(super) const CATEGORIES: [Category; CATEGORY_COUNT] = [
    Category { department: "Kitchen", name: "Mugs & Cups", code: "KM", median_price: 6.5, season: (11, 1.5), complements: [1, 2],
        nouns: ["Mug", "Teacup", "Espresso Cup", "Latte Cup", "Travel Mug", "Cappuccino Cup"],
        materials: ["Stoneware", "Porcelain", "Enamel", "Bone China"] },
    Category { department: "Kitchen", name: "Saucers & Plates", code: "KP", median_price: 8.0, season: (11, 1.4), complements: [0, 3],
        nouns: ["Saucer", "Side Plate", "Dinner Plate", "Cake Plate", "Serving Platter", "Pasta Bowl"],
        materials: ["Stoneware", "Porcelain", "Melamine", "Bone China"] },
    Category { department: "Kitchen", name: "Teapots & Kettles", code: "KT", median_price: 22.0, season: (12, 1.8), complements: [0, 4],
        nouns: ["Teapot", "Kettle", "Cafetiere", "Milk Jug", "Sugar Bowl", "Tea Cosy"],
        materials: ["Cast Iron", "Enamel", "Stoneware", "Glass"] },
    Category { department: "Kitchen", name: "Cutlery & Serving", code: "KC", median_price: 14.0, season: (12, 1.6), complements: [1, 5],
        nouns: ["Cutlery Set", "Cake Forks", "Serving Spoon", "Cheese Knives", "Salad Servers", "Butter Knife"],
        materials: ["Steel", "Olive Wood", "Brass", "Bamboo"] },
    Category { department: "Kitchen", name: "Baking", code: "KB", median_price: 9.0, season: (12, 2.0), complements: [2, 5],
        nouns: ["Cake Tin", "Mixing Bowl", "Rolling Pin", "Cookie Cutters", "Cake Stand", "Cupcake Cases"],
        materials: ["Tin", "Ceramic", "Beech", "Silicone"] },
    Category { department: "Kitchen", name: "Table Linen", code: "KL", median_price: 16.0, season: (12, 1.7), complements: [3, 1],
        nouns: ["Tablecloth", "Napkins", "Table Runner", "Apron", "Tea Towel", "Placemats"],
        materials: ["Linen", "Cotton", "Oilcloth", "Jacquard"] },
    Category { department: "Living", name: "Cushions", code: "LC", median_price: 18.0, season: (10, 1.4), complements: [7, 8],
        nouns: ["Cushion Cover", "Floor Cushion", "Bolster", "Seat Pad", "Scatter Cushion", "Cushion Inner"],
        materials: ["Velvet", "Linen", "Cotton", "Knitted"] },
    Category { department: "Living", name: "Throws & Rugs", code: "LT", median_price: 38.0, season: (11, 2.2), complements: [6, 9],
        nouns: ["Throw", "Blanket", "Rug", "Runner Rug", "Doormat", "Sheepskin"],
        materials: ["Wool", "Jute", "Fleece", "Mohair"] },
    Category { department: "Living", name: "Lamps", code: "LL", median_price: 45.0, season: (11, 1.8), complements: [9, 6],
        nouns: ["Table Lamp", "Lampshade", "Floor Lamp", "Desk Lamp", "Pendant Light", "Night Light"],
        materials: ["Brass", "Rattan", "Ceramic", "Glass"] },
    Category { department: "Living", name: "Candles", code: "LD", median_price: 11.0, season: (12, 3.0), complements: [10, 8],
        nouns: ["Scented Candle", "Pillar Candle", "T-Light Holder", "Lantern", "Candlestick", "Reed Diffuser"],
        materials: ["Soy", "Beeswax", "Glass", "Pewter"] },
    Category { department: "Living", name: "Frames & Clocks", code: "LF", median_price: 19.0, season: (5, 1.2), complements: [9, 11],
        nouns: ["Photo Frame", "Wall Clock", "Alarm Clock", "Mirror", "Gallery Frame", "Mantel Clock"],
        materials: ["Oak", "Metal", "Mango Wood", "Glass"] },
    Category { department: "Living", name: "Vases & Pots", code: "LV", median_price: 17.0, season: (4, 1.6), complements: [10, 12],
        nouns: ["Vase", "Plant Pot", "Bud Vase", "Planter", "Jug", "Hanging Pot"],
        materials: ["Terracotta", "Glass", "Ceramic", "Concrete"] },
    Category { department: "Garden", name: "Planting", code: "GP", median_price: 13.0, season: (5, 6.0), complements: [13, 11],
        nouns: ["Watering Can", "Seed Kit", "Trug", "Herb Planter", "Window Box", "Cloche"],
        materials: ["Zinc", "Willow", "Enamel", "Wooden"] },
    Category { department: "Garden", name: "Garden Tools", code: "GT", median_price: 15.0, season: (5, 5.0), complements: [12, 14],
        nouns: ["Hand Trowel", "Secateurs", "Garden Gloves", "Kneeler", "Dibber", "Hand Fork"],
        materials: ["Steel", "Ash", "Leather", "Copper"] },
    Category { department: "Garden", name: "Outdoor Dining", code: "GD", median_price: 24.0, season: (7, 7.0), complements: [15, 12],
        nouns: ["Picnic Basket", "Cool Bag", "Picnic Blanket", "Drinks Pail", "Parasol", "Picnic Tumblers"],
        materials: ["Wicker", "Canvas", "Acrylic", "Zinc"] },
    Category { department: "Garden", name: "Garden Lights", code: "GL", median_price: 20.0, season: (8, 4.0), complements: [14, 9],
        nouns: ["String Lights", "Solar Lantern", "Festoon Lights", "Stake Light", "Fire Bowl", "Citronella Candle"],
        materials: ["Solar", "Copper", "Glass", "Bamboo"] },
    Category { department: "Children", name: "Toys & Games", code: "CT", median_price: 12.0, season: (12, 3.5), complements: [17, 19],
        nouns: ["Puzzle", "Skittles", "Building Blocks", "Card Game", "Pull-Along", "Tea Set"],
        materials: ["Wooden", "Felt", "Tin", "Card"] },
    Category { department: "Children", name: "Lunch & School", code: "CL", median_price: 7.5, season: (9, 3.0), complements: [16, 18],
        nouns: ["Lunch Bag", "Lunch Box", "Water Bottle", "Pencil Case", "Backpack", "Snack Tins"],
        materials: ["Canvas", "Steel", "Oilcloth", "Recycled"] },
    Category { department: "Children", name: "Nursery", code: "CN", median_price: 21.0, season: (3, 1.2), complements: [16, 7],
        nouns: ["Mobile", "Baby Blanket", "Bunting", "Storage Basket", "Height Chart", "Muslin Set"],
        materials: ["Cotton", "Felt", "Bamboo", "Knitted"] },
    Category { department: "Gifts", name: "Party", code: "FP", median_price: 5.5, season: (12, 2.5), complements: [20, 16],
        nouns: ["Paper Plates", "Party Bags", "Balloons", "Paper Straws", "Garland", "Party Hats"],
        materials: ["Paper", "Foil", "Honeycomb", "Kraft"] },
    Category { department: "Gifts", name: "Wrap & Cards", code: "FW", median_price: 3.5, season: (12, 5.0), complements: [19, 21],
        nouns: ["Gift Wrap", "Gift Bag", "Greeting Card", "Gift Tags", "Ribbon", "Tissue Paper"],
        materials: ["Paper", "Kraft", "Satin", "Recycled"] },
    Category { department: "Gifts", name: "Christmas", code: "FX", median_price: 8.5, season: (12, 40.0), complements: [20, 9],
        nouns: ["Bauble", "Stocking", "Wreath", "Advent Calendar", "Tree Skirt", "Star Decoration"],
        materials: ["Glass", "Felt", "Wooden", "Paper"] },
    Category { department: "Bath", name: "Towels & Mats", code: "BT", median_price: 15.0, season: (1, 1.3), complements: [23, 7],
        nouns: ["Bath Towel", "Hand Towel", "Bath Mat", "Face Cloths", "Robe", "Hammam Towel"],
        materials: ["Cotton", "Waffle", "Bamboo", "Linen"] },
    Category { department: "Bath", name: "Soap & Storage", code: "BS", median_price: 9.5, season: (12, 1.6), complements: [22, 9],
        nouns: ["Soap Dish", "Hand Soap", "Bath Salts", "Laundry Basket", "Toothbrush Holder", "Wash Bag"],
        materials: ["Ceramic", "Bamboo", "Stone", "Cotton"] },
];
