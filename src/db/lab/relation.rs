//! A relation of a laboratory: its file, and what pg_class says of it.

use std::path::PathBuf;

use super::LabError;
use super::files::Stretch;
use crate::units::Pages;

/// Relations are numbered by 32 bits (`BlockNumber`); the last number means none.
const MOST_PAGES: u64 = u32::MAX as u64 - 1;

/// A relation of the laboratory.
#[derive(Debug)]
pub(super) struct Relation {
    pub(super) name: String,
    pub(super) oid: u32,
    /// Key columns of an index.
    pub(super) keys: Vec<String>,
    /// `None` for what has no file of its own.
    pub(super) path: Option<PathBuf>,
    /// What the server wrote: never made shorter than this.
    pub(super) least: Pages,
    pub(super) pages: Pages,
    /// The height of an index that has a root and no entries.
    pub(super) root: Option<u32>,
    /// Whether the server wrote an index without entries.
    pub(super) is_empty_btree: bool,
    /// The number of a file that took the place of the server's.
    pub(super) file: Option<u32>,
}

impl Relation {
    /// What its file is to become, where that differs.
    pub(super) fn stretch(
        &mut self,
        pages: Pages,
        height: Option<u32>,
        next_file: &mut u32,
    ) -> Result<Option<Stretch>, LabError> {
        if pages.0 > MOST_PAGES {
            return Err(LabError::TooLarge {
                relation: self.name.clone(),
                pages: pages.0,
            });
        }
        let Some(path) = &self.path else {
            return Ok(None);
        };
        let (path, from) = (path.clone(), self.pages);
        let root = height.filter(|height| self.is_empty_btree && self.root != Some(*height));
        let mut stretch = Stretch {
            path,
            from,
            to: pages,
            root,
            replaces: None,
        };
        if let Some(height) = root {
            self.least = Pages(u64::from(height) + 2);
            if self.root.replace(height).is_some() {
                self.replace_file(&mut stretch, next_file);
            }
        }
        stretch.to = pages.max(self.least);
        if stretch.to == from && root.is_none() {
            return Ok(None);
        }
        self.pages = stretch.to;
        Ok(Some(stretch))
    }

    /// A root that the server has read is one that it remembers: another one needs a file of another name.
    fn replace_file(&mut self, stretch: &mut Stretch, next_file: &mut u32) {
        let new = stretch.path.with_file_name(next_file.to_string());
        self.file = Some(*next_file);
        *next_file += 1;
        let old = std::mem::replace(&mut stretch.path, new.clone());
        stretch.replaces = Some((old, stretch.from));
        stretch.from = Pages(1);
        self.path = Some(new);
    }
}

/// What pg_class says of a relation.
#[derive(Debug)]
pub(super) struct Size {
    pub(super) oid: u32,
    pub(super) pages: Pages,
    pub(super) rows: Option<f64>,
    pub(super) all_visible: Option<u64>,
    /// A file that took the place of the server's.
    pub(super) file: Option<u32>,
}

/// Also has every session forget what it knew of the relation's files.
pub(super) fn sizes_sql(sizes: &[Size]) -> String {
    let rows: Vec<String> = sizes.iter().map(size_sql).collect();
    format!(
        "UPDATE pg_catalog.pg_class c SET relpages = v.pages, reltuples = v.tuples, \
         relallvisible = coalesce(v.visible, c.relallvisible), relfilenode = coalesce(v.file, c.relfilenode) \
         FROM (VALUES {}) AS v (oid, pages, tuples, visible, file) WHERE c.oid = v.oid;",
        rows.join(",")
    )
}

fn size_sql(size: &Size) -> String {
    // Numbers of pages are 32 bits without a sign, kept in a signed column.
    let wrapped = |pages: u64| (pages as u32).cast_signed();
    let visible = size.all_visible.map(wrapped);
    format!(
        "({}::oid, {}::int4, {}::float4, {}::int4, {}::oid)",
        size.oid,
        wrapped(size.pages.0),
        size.rows.unwrap_or(-1.0),
        visible.map_or_else(|| "NULL".to_owned(), |pages| pages.to_string()),
        size.file
            .map_or_else(|| "NULL".to_owned(), |file| file.to_string())
    )
}
