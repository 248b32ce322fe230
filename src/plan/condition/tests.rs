use super::*;

/// The tree in one line, to compare.
fn shown(expression: &Expression) -> String {
    let list = |parts: &[Expression]| parts.iter().map(shown).collect::<Vec<_>>().join(", ");
    match &expression.kind {
        ExpressionKind::Column { qualifier, name } => qualifier
            .as_ref()
            .map_or_else(|| name.clone(), |qualifier| format!("{qualifier}.{name}")),
        ExpressionKind::Constant(None) => "NULL".to_owned(),
        ExpressionKind::Constant(Some(text)) => format!("'{text}'"),
        ExpressionKind::Parameter(number) => format!("${number}"),
        ExpressionKind::Subplan => "subplan".to_owned(),
        ExpressionKind::Cast { operand, type_name } => format!("{}::{type_name}", shown(operand)),
        ExpressionKind::Call {
            function,
            arguments,
        } => format!("{function}({})", list(arguments)),
        ExpressionKind::Operator {
            operator,
            quantifier,
            left,
            right,
        } => {
            let left = left.as_deref().map(shown).unwrap_or_default();
            let quantifier = match quantifier {
                Quantifier::One => "",
                Quantifier::Any => " any",
                Quantifier::All => " all",
            };
            format!("[{left} {operator}{quantifier} {}]", shown(right))
        }
        ExpressionKind::And(parts) => format!("and({})", list(parts)),
        ExpressionKind::Or(parts) => format!("or({})", list(parts)),
        ExpressionKind::Not(operand) => format!("not({})", shown(operand)),
        ExpressionKind::Test { operand, test } => format!("{}?{test:?}", shown(operand)),
        ExpressionKind::Other(parts) => format!("other({})", list(parts)),
    }
}

#[test]
fn deparsed_conditions() {
    let cases = [
        ("(o.customer_id = $1)", "[o.customer_id = $1]"),
        ("((email)::text = 'a''b'::text)", "[email::text = 'a'b']"),
        (
            "(o.status = ANY ('{paid,packed}'::order_status[]))",
            "[o.status = any '{paid,packed}']",
        ),
        ("(id = ANY ($1))", "[id = any $1]"),
        (
            "((o.channel = 'marketplace'::text) AND (o.status = 'refunded'::order_status))",
            "and([o.channel = 'marketplace'], [o.status = 'refunded'])",
        ),
        (
            "(($1 IS NULL) OR (reviews.rating <= $1))",
            "or($1?Null, [reviews.rating <= $1])",
        ),
        (
            "(NOT (a.deleted OR (b.x <> 1)))",
            "not(or(a.deleted, [b.x <> '1']))",
        ),
        (
            "(lower((email)::text) = lower($1))",
            "[lower(email::text) = lower($1)]",
        ),
        (
            "(date_trunc('month'::text, events.occurred_at) = '2025-11-01 00:00:00+00'::timestamp with time zone)",
            "[date_trunc('month', events.occurred_at) = '2025-11-01 00:00:00+00']",
        ),
        (
            "((orders.placed_at)::date = $1)",
            "[orders.placed_at::date = $1]",
        ),
        (
            "(full_name ~~* (('%'::text || $1) || '%'::text))",
            "[full_name ~~* [['%' || $1] || '%']]",
        ),
        (
            "((payload ->> 'k'::text) = 'v'::text)",
            "[[payload ->> 'k'] = 'v']",
        ),
        (
            "(payload @> '{\"a\": 1}'::jsonb)",
            "[payload @> '{\"a\": 1}']",
        ),
        (
            "(EXTRACT(year FROM o.placed_at) = '2024'::numeric)",
            "[extract('year', o.placed_at) = '2024']",
        ),
        (
            "((placed_at AT TIME ZONE 'UTC'::text) > now())",
            "[timezone(placed_at, 'UTC') > now()]",
        ),
        ("(o.total > (InitPlan 1).col1)", "[o.total > subplan]"),
        ("(o.total > $0)", "[o.total > $0]"),
        ("(NOT (hashed SubPlan 1))", "not(subplan)"),
        ("(alternatives: SubPlan 1 or hashed SubPlan 2)", "subplan"),
        ("((SubPlan 1) > 5)", "[subplan > '5']"),
        (
            "(ANY (o.id = (hashed SubPlan 1).col1))",
            "any([o.id = subplan])",
        ),
        (
            "(\"Order\".\"Weird col\" IS NOT NULL)",
            "Order.Weird col?NotNull",
        ),
        ("(a.x IS DISTINCT FROM b.x)", "[a.x IS DISTINCT FROM b.x]"),
        ("(ROW(a, b) < ROW($1, $2))", "[row(a, b) < row($1, $2)]"),
        ("((a, b) < ($1, $2))", "[row(a, b) < row($1, $2)]"),
        ("(tags[1] = 'x'::text)", "[other(tags, '1') = 'x']"),
        ("(tags && ARRAY['x'::text, $1])", "[tags && array('x', $1)]"),
        (
            "(CASE WHEN (a > 0) THEN b ELSE NULL::integer END = 3)",
            "[other([a > '0'], b, NULL) = '3']",
        ),
        (
            "((name)::text OPERATOR(pg_catalog.=) 'x'::text)",
            "[name::text = 'x']",
        ),
        ("(name COLLATE \"C\" > 'x'::text)", "[other(name) > 'x']"),
        ("(x = '-5'::integer)", "[x = '-5']"),
        ("((- x) = 1.5e-3)", "[[ - x] = '1.5e-3']"),
        (
            "(search @@ '''steel'' & ''chair'''::tsquery)",
            "[search @@ ''steel' & 'chair'']",
        ),
        ("is_active", "is_active"),
        (
            "(is_active AND (NOT deleted))",
            "and(is_active, not(deleted))",
        ),
        ("(count(*) > 5)", "[count() > '5']"),
        (
            "(count(DISTINCT o.id) FILTER (WHERE (x > 1)) > 5)",
            "[count(o.id) > '5']",
        ),
        ("\"substring\"(name, 1, 3)", "substring(name, '1', '3')"),
        (
            "(SUBSTRING(name FROM 1 FOR $1) = 'x'::text)",
            "[substring(name, '1', $1) = 'x']",
        ),
        ("(TRIM(BOTH FROM name) = 'x'::text)", "[trim(name) = 'x']"),
        (
            "((v.c)::numeric(10,2) > 0.5)",
            "[v.c::numeric(10,2) > '0.5']",
        ),
        (
            "((v.c)::timestamp without time zone > x)",
            "[v.c::timestamp without time zone > x]",
        ),
        (
            "(created_at > (CURRENT_DATE - '7 days'::interval))",
            "[created_at > [current_date() - '7 days']]",
        ),
        ("(item).price", "other(item)"),
        ("COALESCE(o.x, 0)", "coalesce(o.x, '0')"),
    ];
    for (text, expected) in cases {
        assert_eq!(shown(&parse(text)), expected, "{text}");
    }
}

#[test]
fn nothing_makes_it_fail() {
    let deep = "(".repeat(5000);
    let minus = "- ".repeat(5000);
    let nots = "NOT ".repeat(5000);
    for text in [
        "",
        "(",
        ")",
        "((a",
        "a = ",
        "'open",
        "\"open",
        "$",
        "$99999999",
        "a::",
        "a.",
        "a[",
        "f(",
        "CASE",
        "é = ß",
        &deep,
        &minus,
        &nots,
    ] {
        let _ = parse(text);
    }
    assert_eq!(shown(&parse("something (new o.x: $2")), "other(o.x, $2)");
}

#[test]
fn comparisons_seen_from_a_relation() {
    let join = parse("(oi.order_id = o.id)");
    let seen = join.comparison("o").unwrap();
    assert_eq!(
        (
            seen.subject.text.as_str(),
            seen.operator,
            seen.other.text.as_str()
        ),
        ("o.id", "=", "oi.order_id")
    );
    let seen = parse("(5 < o.x)");
    assert_eq!(seen.comparison("o").unwrap().operator, ">");
    assert!(parse("(o.a = o.b)").comparison("o").is_none());
    assert!(parse("(x.a = x.b)").comparison("o").is_none());
    assert!(parse("('%x' ~~ o.pattern)").comparison("o").is_none());
}

#[test]
fn qualifiers_are_taken_off() {
    let text = "lower((c.\"E mail\")::shop.citext) || public.f(c.b, 'c.x'::text)";
    assert_eq!(
        parse(text).unqualified(),
        "lower((\"E mail\")::shop.citext) || public.f(b, 'c.x'::text)"
    );
}
