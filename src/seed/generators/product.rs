//! Goods.

use super::{Group, TextGenerator, put, put_template};
use crate::seed::encode;

const ADJECTIVES: &[&str] = &[
    "Classic",
    "Compact",
    "Cordless",
    "Cotton",
    "Durable",
    "Elegant",
    "Ergonomic",
    "Folding",
    "Frozen",
    "Handmade",
    "Heavy",
    "Insulated",
    "Leather",
    "Light",
    "Modern",
    "Natural",
    "Organic",
    "Portable",
    "Premium",
    "Quiet",
    "Recycled",
    "Refined",
    "Rustic",
    "Silent",
    "Sleek",
    "Slim",
    "Smart",
    "Soft",
    "Solar",
    "Stackable",
    "Sturdy",
    "Travel",
    "Vintage",
    "Waterproof",
    "Wireless",
    "Woven",
];
const MATERIALS: &[&str] = &[
    "Aluminium",
    "Bamboo",
    "Bronze",
    "Canvas",
    "Ceramic",
    "Concrete",
    "Copper",
    "Cork",
    "Cotton",
    "Denim",
    "Felt",
    "Glass",
    "Granite",
    "Linen",
    "Marble",
    "Oak",
    "Plastic",
    "Rubber",
    "Silk",
    "Steel",
    "Velvet",
    "Walnut",
    "Wooden",
    "Wool",
];
const THINGS: &[&str] = &[
    "Backpack",
    "Bag",
    "Bench",
    "Blanket",
    "Bottle",
    "Bowl",
    "Camera",
    "Chair",
    "Clock",
    "Coat",
    "Desk",
    "Drill",
    "Gloves",
    "Hat",
    "Headphones",
    "Jacket",
    "Kettle",
    "Keyboard",
    "Knife",
    "Lamp",
    "Mirror",
    "Monitor",
    "Mouse",
    "Mug",
    "Notebook",
    "Pan",
    "Pants",
    "Pillow",
    "Plate",
    "Printer",
    "Rug",
    "Scarf",
    "Shelf",
    "Shirt",
    "Shoes",
    "Sofa",
    "Speaker",
    "Stool",
    "Sweater",
    "Table",
    "Tent",
    "Toaster",
    "Towel",
    "Umbrella",
    "Vase",
    "Wallet",
    "Watch",
];

pub(super) const PRODUCT_NAME: TextGenerator = TextGenerator {
    name: "product_name",
    summary: "a thing that is sold",
    group: Group::Alone,
    columns: &["product_name", "item_name", "productname", "product", "item", "article_name"],
    numbers_itself: false,
    width: 20,
    write: |cell, out| {
        put(out, cell.stream.pick(ADJECTIVES));
        out.push(b' ');
        put(out, cell.stream.pick(MATERIALS));
        out.push(b' ');
        put(out, cell.stream.pick(THINGS));
    },
};

pub(super) const SKU: TextGenerator = TextGenerator {
    name: "sku",
    summary: "a stock number",
    group: Group::Alone,
    columns: &[
        "sku",
        "upc",
        "ean",
        "gtin",
        "barcode",
        "part_number",
        "product_code",
        "item_code",
        "isbn",
        "article_number",
    ],
    numbers_itself: true,
    width: 12,
    write: |cell, out| {
        put_template(&mut cell.stream, "@@@-", out);
        let number = cell.number.unwrap_or_else(|| cell.stream.below(90_000_000));
        encode::decimal(out, 10_000_000 + number);
    },
};

pub(super) const COLOR: TextGenerator = TextGenerator {
    name: "color",
    summary: "a colour",
    group: Group::Alone,
    columns: &["color", "colour", "color_name"],
    numbers_itself: false,
    width: 5,
    write: |cell, out| {
        const COLORS: &[&str] = &[
            "red", "blue", "green", "black", "white", "grey", "yellow", "orange", "purple", "brown", "pink", "silver",
            "navy", "teal", "beige", "olive",
        ];
        put(out, cell.stream.pick(COLORS));
    },
};
