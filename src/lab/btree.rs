//! An empty B-tree of a given height. The planner reads the height from the metapage (`_bt_getrootheight`), and looks for the
//! ends of a column's range by descending from the root (`get_actual_variable_range`): it finds an empty leaf here, and falls
//! back to the histogram. Layouts: `storage/bufpage.h`, `access/nbtree.h`.

use crate::units::Pages;

const PAGE: usize = 8192;
const PAGE_HEADER: usize = 24;
const LINE_POINTER: usize = 4;
/// `BTPageOpaqueData`.
const SPECIAL: usize = PAGE - 16;
/// An index tuple of a header alone.
const TUPLE: u16 = 8;
const LEAF: u16 = 1;
const ROOT: u16 = 2;
const NORMAL_LINE_POINTER: u32 = 1;
/// Says that the tuple's heap pointer holds the number of its attributes: none, which stands for minus infinity.
const PIVOT: u16 = 0x2000;
/// `BTMetaPageData`: magic, version, root, level of the root, fast root, level of the fast root.
const META_MAGIC: u32 = 0x0005_3162;
const META_ROOT: usize = PAGE_HEADER + 8;

/// Bytes of a leaf or inner page that hold tuples.
const USABLE: f64 = (PAGE - PAGE_HEADER - 16) as f64;
/// Sorted builds fill inner pages so far (`BTREE_NONLEAF_FILLFACTOR`).
const INNER_FILL: f64 = 0.7;

/// The level of the root of an index of so many pages, whose keys take `key_bytes` on average: 0 where the root is a leaf.
#[must_use]
pub fn height(pages: Pages, key_bytes: f64) -> u32 {
    let aligned = (key_bytes.max(1.0) / 8.0).ceil() * 8.0;
    let entry = f64::from(TUPLE) + aligned + LINE_POINTER as f64;
    let fan_out = (USABLE * INNER_FILL / entry).floor().max(2.0);
    // The metapage is none of them; inner pages are few beside the leaves.
    let mut level_pages = (pages.0.saturating_sub(1)) as f64 * (1.0 - 1.0 / fan_out);
    let mut levels = 0;
    while level_pages > 1.0 {
        level_pages = (level_pages / fan_out).ceil();
        levels += 1;
    }
    levels
}

/// The pages of an empty index of a height, after its metapage: the root, a page a level, and an empty leaf.
#[must_use]
pub fn pages(height: u32) -> Vec<u8> {
    let mut bytes = Vec::with_capacity((height as usize + 1) * PAGE);
    for depth in 0..=height {
        bytes.extend(page(height - depth, depth == 0, depth + 2));
    }
    bytes
}

/// Has a metapage say that the root is the page after it, at `height`. `false` where the page is no metapage of an empty index.
#[must_use]
pub fn set_root(metapage: &mut [u8], height: u32) -> bool {
    let read = |at: usize| {
        let bytes = metapage.get(at..at + 4)?;
        Some(u32::from_ne_bytes(bytes.try_into().ok()?))
    };
    if read(PAGE_HEADER) != Some(META_MAGIC) || read(META_ROOT) != Some(0) {
        return false;
    }
    for (at, value) in [1, height, 1, height].into_iter().enumerate() {
        put(metapage, META_ROOT + at * 4, &value.to_ne_bytes());
    }
    true
}

/// Has a metapage say that there is no root.
pub fn clear_root(metapage: &mut [u8]) {
    put(metapage, META_ROOT, &[0; 16]);
}

/// One page of a level; an inner page points to `child` for every key.
fn page(level: u32, is_root: bool, child: u32) -> Vec<u8> {
    let mut page = vec![0; PAGE];
    let is_leaf = level == 0;
    let tuples = usize::from(!is_leaf);
    let lower = PAGE_HEADER + tuples * LINE_POINTER;
    let upper = SPECIAL - tuples * usize::from(TUPLE);
    let offsets = [lower, upper, SPECIAL, PAGE | 4];
    for (at, offset) in offsets.into_iter().enumerate() {
        // Offsets within a page, and the page's size with the layout's version.
        put(&mut page, 12 + at * 2, &(offset as u16).to_ne_bytes());
    }
    if !is_leaf {
        let pointer = upper as u32 | NORMAL_LINE_POINTER << 15 | u32::from(TUPLE) << 17;
        put(&mut page, PAGE_HEADER, &pointer.to_ne_bytes());
        // A block's number is two halves, the high one first.
        put(&mut page, upper, &((child >> 16) as u16).to_ne_bytes());
        put(&mut page, upper + 2, &(child as u16).to_ne_bytes());
        put(&mut page, upper + 6, &(TUPLE | PIVOT).to_ne_bytes());
    }
    let flags = if is_leaf { LEAF } else { 0 } | if is_root { ROOT } else { 0 };
    put(&mut page, SPECIAL + 8, &level.to_ne_bytes());
    put(&mut page, SPECIAL + 12, &flags.to_ne_bytes());
    page
}

fn put(page: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(place) = page.get_mut(at..at + bytes.len()) {
        place.copy_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heights_of_sorted_builds() {
        // bigint keys on 15.18 (pageinspect): 367 rows a leaf, 285 leaves an inner page.
        for (rows, level) in [
            (1.0, 0),
            (300.0, 0),
            (10_000.0, 1),
            (90_000.0, 1),
            (3e6, 2),
            (2e7, 2),
            (4e7, 3),
        ] {
            let leaves: f64 = (f64::ceil(rows / 367.0)).max(1.0);
            // A single leaf is the root.
            let inner = if leaves > 1.0 {
                (leaves / 285.0).ceil()
            } else {
                0.0
            };
            let all = leaves + inner + 1.0;
            assert_eq!(height(Pages(all as u64), 8.0), level, "{rows} rows");
        }
        assert_eq!(height(Pages(1), 8.0), 0);
        assert_eq!(height(Pages(0), 8.0), 0);
    }

    #[test]
    fn only_an_empty_indexs_metapage_is_changed() {
        let mut page = vec![0; PAGE];
        assert!(!set_root(&mut page, 2), "zeros are no metapage");
        put(&mut page, PAGE_HEADER, &META_MAGIC.to_ne_bytes());
        assert!(set_root(&mut page, 2));
        assert!(!set_root(&mut page, 3), "it has a root now");
        clear_root(&mut page);
        assert!(set_root(&mut page, 3));
        assert!(!set_root(&mut [], 0));
    }

    #[test]
    fn a_height_has_a_page_a_level() {
        assert_eq!(pages(0).len(), PAGE);
        assert_eq!(pages(3).len(), 4 * PAGE);
    }
}
