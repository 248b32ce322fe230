//! Running text.

use super::{Cell, Group, TextGenerator, put};

pub(crate) const WORD: TextGenerator = TextGenerator {
    name: "word",
    summary: "one word",
    group: Group::Alone,
    columns: &[
        "tag",
        "keyword",
        "label",
        "word",
        "category",
        "topic",
        "genre",
        "group_name",
        "type_name",
    ],
    numbers_itself: false,
    width: 6,
    write: |cell, out| cell.stream.pick_of(cell.locale.words).put(out),
};

pub(crate) const WORDS: TextGenerator = TextGenerator {
    name: "words",
    summary: "two to four words",
    group: Group::Alone,
    columns: &["tags", "keywords", "name"],
    numbers_itself: false,
    width: 20,
    write: |cell, out| {
        let count = cell.stream.between(2, 4);
        words(cell, count, out);
    },
};

pub(super) const TITLE: TextGenerator = TextGenerator {
    name: "title",
    summary: "three to seven words, the first with a capital",
    group: Group::Alone,
    columns: &[
        "title",
        "subject",
        "headline",
        "heading",
        "caption",
        "subtitle",
        "summary_line",
        "topic_title",
    ],
    numbers_itself: false,
    width: 33,
    write: |cell, out| {
        let start = out.len();
        let count = cell.stream.between(3, 7);
        words(cell, count, out);
        out[start..=start].make_ascii_uppercase();
    },
};

pub(super) const SENTENCE: TextGenerator = TextGenerator {
    name: "sentence",
    summary: "a sentence of six to fourteen words",
    group: Group::Alone,
    columns: &[
        "summary",
        "excerpt",
        "note",
        "notes",
        "comment",
        "reason",
        "message",
        "tagline",
        "short_description",
        "remark",
        "remarks",
        "error_message",
        "failure_message",
        "status_message",
        "alt_text",
        "headline_text",
    ],
    numbers_itself: false,
    width: 67,
    write: sentence,
};

pub(super) const PARAGRAPH: TextGenerator = TextGenerator {
    name: "paragraph",
    summary: "three to seven sentences",
    group: Group::Alone,
    columns: &[
        "description",
        "body",
        "content",
        "text",
        "bio",
        "biography",
        "about",
        "details",
        "abstract",
        "story",
        "long_description",
        "review",
        "plot",
        "instructions",
        "comments",
        "feedback",
        "transcript",
        "body_text",
    ],
    numbers_itself: false,
    width: 340,
    write: paragraph,
};

pub(super) const MARKDOWN: TextGenerator = TextGenerator {
    name: "markdown",
    summary: "a page of Markdown: a heading, paragraphs, a list",
    group: Group::Alone,
    columns: &[
        "markdown",
        "body_markdown",
        "content_markdown",
        "readme",
        "body_md",
        "content_md",
    ],
    numbers_itself: false,
    width: 980,
    write: |cell, out| {
        put(out, "# ");
        let start = out.len();
        words(cell, 4, out);
        out[start..=start].make_ascii_uppercase();
        put(out, "\n\n");
        paragraph(cell, out);
        put(out, "\n\n");
        for _ in 0..3 {
            put(out, "- ");
            words(cell, 6, out);
            out.push(b'\n');
        }
        out.push(b'\n');
        paragraph(cell, out);
        put(out, "\n\n**");
        words(cell, 3, out);
        put(out, "** ");
        sentence(cell, out);
        out.push(b'\n');
    },
};

fn words(cell: &mut Cell, count: u64, out: &mut Vec<u8>) {
    let table = cell.locale.words;
    let mut bits = 0;
    for position in 0..count {
        if position > 0 {
            out.push(b' ');
        }
        // Three picks from one draw: 21 bits each against a few hundred words.
        if position % 3 == 0 {
            bits = cell.stream.next_bits();
        }
        let pick = ((bits & 0x1F_FFFF) * table.len() as u64) >> 21;
        bits >>= 21;
        table[pick as usize].put(out);
    }
}

fn sentence(cell: &mut Cell, out: &mut Vec<u8>) {
    let start = out.len();
    let count = cell.stream.between(6, 14);
    words(cell, count, out);
    out[start..=start].make_ascii_uppercase();
    out.push(b'.');
}

fn paragraph(cell: &mut Cell, out: &mut Vec<u8>) {
    let count = cell.stream.between(3, 7);
    for position in 0..count {
        if position > 0 {
            out.push(b' ');
        }
        sentence(cell, out);
    }
}
