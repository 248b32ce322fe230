//! What only the statement's text tells of a parameter, because no plan prints it: LIMIT, OFFSET, the columns that INSERT
//! and UPDATE store it in. Reads syntax, knows no schema.

use squawk_syntax::{SourceFile, SyntaxKind, SyntaxNode};

use crate::sql::elements;

/// Where a parameter stands in the statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// `LIMIT $1`, `FETCH FIRST $1 ROWS ONLY`.
    Limit,
    /// `OFFSET $1`.
    Offset,
    /// In the condition of a list with a LIMIT.
    Paged {
        /// Every name in its ORDER BY, unquoted.
        ordered: Vec<String>,
    },
    /// `VALUES (…, $1, …)` of an INSERT, or `SET column = $1`: bare or below casts and `coalesce`.
    Stored {
        /// As written, with its schema if it has one; unquoted.
        table: Vec<String>,
        /// By name, or by its position in the table where the INSERT names no columns.
        column: StoredColumn,
        /// Whether the row is new.
        by: StoredBy,
        /// From 0: which row of VALUES.
        row: usize,
    },
}

/// The column that a value goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum StoredColumn {
    /// Unquoted.
    Named(String),
    /// From 0.
    Position(usize),
}

/// What stores it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StoredBy {
    Insert,
    Update,
}

/// Every parameter's places, in the order of the text.
pub(super) fn places(sql: &str) -> Vec<(u16, Place)> {
    let tree = SourceFile::parse(sql).syntax_node();
    let mut found = Vec::new();
    for node in tree.descendants() {
        match node.kind() {
            SyntaxKind::LIMIT_CLAUSE | SyntaxKind::FETCH_CLAUSE => {
                found.extend(
                    parameters(&node)
                        .into_iter()
                        .map(|number| (number, Place::Limit)),
                );
            }
            SyntaxKind::OFFSET_CLAUSE => {
                found.extend(
                    parameters(&node)
                        .into_iter()
                        .map(|number| (number, Place::Offset)),
                );
            }
            SyntaxKind::WHERE_CLAUSE => paged(&node, &mut found),
            SyntaxKind::INSERT => inserted(&node, &mut found),
            SyntaxKind::SET_CLAUSE => updated(&node, &mut found),
            _ => {}
        }
    }
    found
}

/// The parameters of a condition whose list has a LIMIT of its own.
fn paged(condition: &SyntaxNode, found: &mut Vec<(u16, Place)>) {
    let Some(list) = condition.parent() else {
        return;
    };
    let has_limit = [SyntaxKind::LIMIT_CLAUSE, SyntaxKind::FETCH_CLAUSE]
        .into_iter()
        .any(|kind| child(&list, kind).is_some());
    if !has_limit {
        return;
    }
    let ordered: Vec<String> = child(&list, SyntaxKind::ORDER_BY_CLAUSE)
        .map(|order| names(&order))
        .unwrap_or_default();
    let place = |number| {
        let ordered = ordered.clone();
        (number, Place::Paged { ordered })
    };
    found.extend(parameters(condition).into_iter().map(place));
}

pub(super) fn parameters(node: &SyntaxNode) -> Vec<u16> {
    node.descendants_with_tokens()
        .filter_map(|element| element.into_token())
        .filter(|token| token.kind() == SyntaxKind::POSITIONAL_PARAM)
        .filter_map(|token| token.text().trim_start_matches('$').parse().ok())
        .collect()
}

/// The parameter that a value is: bare, in parentheses, below casts, or the first argument of `coalesce`.
fn sole_parameter(value: &SyntaxNode) -> Option<u16> {
    match value.kind() {
        SyntaxKind::LITERAL => parameters(value).first().copied(),
        SyntaxKind::PAREN_EXPR | SyntaxKind::CAST_EXPR | SyntaxKind::SET_EXPR | SyntaxKind::ARG => {
            value
                .children()
                .next()
                .and_then(|inner| sole_parameter(&inner))
        }
        SyntaxKind::CALL_EXPR => {
            let name = value.children().next()?.text().to_string();
            let arguments = value
                .children()
                .find(|child| child.kind() == SyntaxKind::ARG_LIST)?;
            let first = arguments.children().next()?;
            // `unnest($1)`: each element becomes a row's value.
            let hands_on = ["coalesce", "unnest"];
            hands_on
                .iter()
                .any(|known| name.trim().eq_ignore_ascii_case(known))
                .then(|| sole_parameter(&first))
                .flatten()
        }
        _ => None,
    }
}

pub(super) fn names(node: &SyntaxNode) -> Vec<String> {
    node.descendants_with_tokens()
        .filter_map(|element| element.into_token())
        .filter(|token| !token.kind().is_trivia() && token.kind() != SyntaxKind::DOT)
        .map(|token| unquoted(token.text()))
        .collect()
}

fn unquoted(name: &str) -> String {
    match name
        .strip_prefix('"')
        .and_then(|name| name.strip_suffix('"'))
    {
        Some(inner) => inner.replace("\"\"", "\""),
        None => name.to_lowercase(),
    }
}

pub(super) fn child(node: &SyntaxNode, kind: SyntaxKind) -> Option<SyntaxNode> {
    node.children().find(|child| child.kind() == kind)
}

fn inserted(insert: &SyntaxNode, found: &mut Vec<(u16, Place)>) {
    let Some(table) = child(insert, SyntaxKind::RELATION_NAME_REF).map(|node| names(&node)) else {
        return;
    };
    let columns: Option<Vec<String>> = child(insert, SyntaxKind::COLUMN_TARGET_LIST).map(|list| {
        list.children()
            .map(|column| names(&column).into_iter().next().unwrap_or_default())
            .collect()
    });
    let column = |position: usize| match &columns {
        Some(columns) => columns.get(position).cloned().map(StoredColumn::Named),
        None => Some(StoredColumn::Position(position)),
    };
    let rows: Vec<SyntaxNode> = match (
        child(insert, SyntaxKind::VALUES),
        child(insert, SyntaxKind::SELECT),
    ) {
        (Some(values), _) => values
            .descendants()
            .filter(|node| node.kind() == SyntaxKind::ROW)
            .collect(),
        // INSERT … SELECT $1, …: its target list.
        (None, Some(select)) => select
            .descendants()
            .find(|node| node.kind() == SyntaxKind::TARGET_LIST)
            .into_iter()
            .collect(),
        (None, None) => Vec::new(),
    };
    for (number, position) in of_unnested_rows(insert, columns.as_deref()) {
        found.extend(column(position).map(|column| {
            let place = Place::Stored {
                table: table.clone(),
                column,
                by: StoredBy::Insert,
                row: 0,
            };
            (number, place)
        }));
    }
    for (at, row) in rows.into_iter().enumerate() {
        for (position, value) in row.children().enumerate() {
            let value = if value.kind() == SyntaxKind::TARGET {
                value.children().next().unwrap_or(value)
            } else {
                value
            };
            if let (Some(number), Some(column)) = (sole_parameter(&value), column(position)) {
                found.push((
                    number,
                    Place::Stored {
                        table: table.clone(),
                        column,
                        by: StoredBy::Insert,
                        row: at,
                    },
                ));
            }
        }
    }
}

/// `INSERT INTO t (a, b) SELECT * FROM unnest($1::int[], $2::text[])`: each parameter with the place of its column. With
/// a target list the names that the function's alias gives are looked for in it.
fn of_unnested_rows(insert: &SyntaxNode, columns: Option<&[String]>) -> Vec<(u16, usize)> {
    let Some(select) = child(insert, SyntaxKind::SELECT) else {
        return Vec::new();
    };
    let Some(from) = child(&select, SyntaxKind::FROM_CLAUSE) else {
        return Vec::new();
    };
    let targets: Vec<String> = select
        .descendants()
        .find(|node| node.kind() == SyntaxKind::TARGET_LIST)
        .map(|list| {
            list.children()
                .map(|target| target.text().to_string().trim().to_lowercase())
                .collect()
        })
        .unwrap_or_default();
    let items = from
        .descendants()
        .filter(|node| node.kind() == SyntaxKind::FUNCTION_FROM_ITEM);
    let Some(item) = items.into_iter().find(elements::is_unnest) else {
        return Vec::new();
    };
    let (arguments, alias_columns) = (elements::arguments(&item), elements::columns(&item));
    let whole = targets.len() == 1 && targets[0].ends_with('*');
    let place = |position: usize| {
        if whole {
            return columns
                .is_none_or(|columns| position < columns.len())
                .then_some(position);
        }
        let name = alias_columns.get(position)?;
        targets.iter().position(|target| {
            let own = target.rsplit('.').next().unwrap_or(target);
            own == name || own.split("::").next() == Some(name.as_str())
        })
    };
    let placed = arguments.into_iter().enumerate();
    placed
        .filter_map(|(position, number)| Some((number?, place(position)?)))
        .collect()
}

fn updated(set: &SyntaxNode, found: &mut Vec<(u16, Place)>) {
    // The statement that the clause belongs to: UPDATE itself, or the INSERT of ON CONFLICT DO UPDATE, or MERGE.
    let table = set.ancestors().find_map(|node| match node.kind() {
        SyntaxKind::UPDATE => child(&node, SyntaxKind::RELATION_NAME)
            .or_else(|| child(&node, SyntaxKind::RELATION_NAME_REF)),
        SyntaxKind::INSERT | SyntaxKind::MERGE => child(&node, SyntaxKind::RELATION_NAME_REF),
        _ => None,
    });
    let Some(table) = table.map(|node| names(&node)) else {
        return;
    };
    let mut store = |number: u16, column: &SyntaxNode| {
        let Some(name) = names(column).into_iter().next() else {
            return;
        };
        let column = StoredColumn::Named(name);
        let place = Place::Stored {
            table: table.clone(),
            column,
            by: StoredBy::Update,
            row: 0,
        };
        found.push((number, place));
    };
    for assignment in set.descendants() {
        match assignment.kind() {
            SyntaxKind::SET_SINGLE_COLUMN => {
                let value = child(&assignment, SyntaxKind::SET_EXPR)
                    .and_then(|value| sole_parameter(&value));
                if let (Some(number), Some(column)) =
                    (value, child(&assignment, SyntaxKind::COLUMN_TARGET))
                {
                    store(number, &column);
                }
            }
            SyntaxKind::SET_MULTIPLE_COLUMNS => {
                let columns = child(&assignment, SyntaxKind::COLUMN_TARGET_LIST);
                let values = child(&assignment, SyntaxKind::SET_EXPR_LIST);
                let (Some(columns), Some(values)) = (columns, values) else {
                    continue;
                };
                for (column, value) in columns.children().zip(values.children()) {
                    if let Some(number) = sole_parameter(&value) {
                        store(number, &column);
                    }
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(table: &[&str], column: &str, by: StoredBy) -> Place {
        let table = table.iter().map(|&name| name.to_owned()).collect();
        Place::Stored {
            table,
            column: StoredColumn::Named(column.to_owned()),
            by,
            row: 0,
        }
    }

    fn paged(ordered: &[&str]) -> Place {
        let ordered = ordered.iter().map(|&name| name.to_owned()).collect();
        Place::Paged { ordered }
    }

    #[test]
    fn places_in_statements() {
        assert_eq!(
            places("select 1 from t where a = $1 limit $2::bigint offset ($3)"),
            [(1, paged(&[])), (2, Place::Limit), (3, Place::Offset)]
        );
        let of_page = places(
            "select 1 from t where (t.At, id) < ($1, $2) order by t.at desc, 'x'::text limit 20",
        );
        let Some((1, Place::Paged { ordered })) = of_page.first() else {
            panic!("{of_page:?}");
        };
        assert!(
            of_page.len() == 2
                && ordered.contains(&"at".to_owned())
                && !ordered.contains(&"id".to_owned())
        );
        assert_eq!(
            places("select 1 from (select 2 from t limit 5) as u where a > $1"),
            []
        );
        assert_eq!(
            places("select 1 fetch first $1 rows only"),
            [(1, Place::Limit)]
        );
        assert_eq!(
            places(
                "insert into Shop.t as x (a, \"B\") values ($1, ($2)::int), (lower($3), default) \
                    on conflict (a) do update set b = $4, (c, d) = ($5, $6) where x.a > $7"
            ),
            [
                (1, stored(&["shop", "t"], "a", StoredBy::Insert)),
                (2, stored(&["shop", "t"], "B", StoredBy::Insert)),
                (4, stored(&["shop", "t"], "b", StoredBy::Update)),
                (5, stored(&["shop", "t"], "c", StoredBy::Update)),
                (6, stored(&["shop", "t"], "d", StoredBy::Update)),
            ]
        );
        assert_eq!(
            places("insert into t (a, b) select * from unnest($1::int[], $2::text[])"),
            [
                (1, stored(&["t"], "a", StoredBy::Insert)),
                (2, stored(&["t"], "b", StoredBy::Insert)),
            ]
        );
        assert_eq!(
            places(
                "insert into t (a, b) select u.y, unnest($2::text[]) from unnest($1::int[]) as u (y)"
            ),
            [
                (1, stored(&["t"], "a", StoredBy::Insert)),
                (2, stored(&["t"], "b", StoredBy::Insert)),
            ]
        );
        assert_eq!(
            places("update t set a = coalesce($1, a), n = n + $2 where id = $3"),
            [(1, stored(&["t"], "a", StoredBy::Update))]
        );
        assert_eq!(
            places("insert into t select $1, x from u where y = $2"),
            [(
                1,
                Place::Stored {
                    table: vec!["t".to_owned()],
                    column: StoredColumn::Position(0),
                    by: StoredBy::Insert,
                    row: 0,
                }
            )]
        );
    }
}
