//! Goods.

use super::{Cell, Group, TextGenerator, put, put_template};
use crate::seed::types::binary;

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
    columns: &[
        "product_name",
        "item_name",
        "productname",
        "product",
        "item",
        "article_name",
    ],
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
        "part_number",
        "product_code",
        "item_code",
        "article_number",
    ],
    numbers_itself: true,
    width: 12,
    write: |cell, out| {
        put_template(&mut cell.stream, "@@@-", out);
        let number = cell.number.unwrap_or_else(|| cell.stream.below(90_000_000));
        binary::decimal(out, 10_000_000 + number);
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
            "red", "blue", "green", "black", "white", "grey", "yellow", "orange", "purple",
            "brown", "pink", "silver", "navy", "teal", "beige", "olive",
        ];
        put(out, cell.stream.pick(COLORS));
    },
};

pub(super) const HEX_COLOR: TextGenerator = TextGenerator {
    name: "hex_color",
    summary: "a colour as the web writes it",
    group: Group::Alone,
    columns: &[
        "hex_color",
        "hex_colour",
        "color_hex",
        "color_code",
        "background_color",
        "text_color",
        "hex_code",
    ],
    numbers_itself: false,
    width: 7,
    write: |cell, out| {
        out.push(b'#');
        hex_digits(cell, out);
    },
};

pub(super) const HEX_COLOR_ALONE: TextGenerator = TextGenerator {
    name: "hex_color_digits",
    columns: &[],
    width: 6,
    write: hex_digits,
    ..HEX_COLOR
};

fn hex_digits(cell: &mut Cell, out: &mut Vec<u8>) {
    let mut bits = cell.stream.next_bits();
    for _ in 0..6 {
        out.push(b"0123456789abcdef"[(bits & 15) as usize]);
        bits >>= 4;
    }
}
