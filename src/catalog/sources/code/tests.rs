use super::*;

fn texts(code: &str, language: Language) -> Vec<(String, u32, bool)> {
    pieces(code, language)
        .into_iter()
        .filter_map(|placed| match placed.piece {
            Piece::Text(text) => Some((text.value.clone(), text.line, text.is_whole())),
            Piece::Word(_) | Piece::Sign(_) => None,
        })
        .collect()
}

#[test]
fn texts_of_each_language_end_where_it_ends_them() {
    let all = |code: &str, language, values: &[&str]| {
        let found: Vec<String> = texts(code, language)
            .into_iter()
            .map(|(value, ..)| value)
            .collect();
        assert_eq!(found, values, "{language:?}");
    };
    all(
        "# it's\nx = r'a\\d' \"b\\\"c\" '''d\n'e''' # \"no\"",
        Language::Python,
        &["a\\d", "b\"c", "d\n'e"],
    );
    all(
        "/* \" */ char c = '\"'; // \"\nString s = \"a\\n\" + \"\"\"\n  b \"c\" \"\"\";",
        Language::Java,
        &["a\n", "\n  b \"c\" "],
    );
    all(
        "val x = /\"/.test('a') ? `b` : \"c\"",
        Language::JavaScript,
        &["a", "b", "c"],
    );
    all(
        "fn f<'a>(c: char) { r#\"a\"b\"#; \"c\\\"d\"; '\"'; }",
        Language::Rust,
        &["a\"b", "c\"d"],
    );
    all(
        "x := `a\"b` + \"c\" // `\nr := '`'",
        Language::Go,
        &["a\"b", "c"],
    );
}

#[test]
fn what_is_filled_in_is_known_as_a_hole() {
    let f = texts("f\"SELECT {name} {{}}\"", Language::Python);
    assert_eq!(f, [(format!("SELECT {HOLE} {{}}"), 1, false)]);
    let template = texts("sql`a ${ids.map(i => `${i}`)} b`", Language::JavaScript);
    assert!(!template[0].2, "{template:?}");
    let kotlin = texts("\"\"\"a $name ${x}\"\"\" + \"$1\"", Language::Kotlin);
    assert_eq!((kotlin[0].2, kotlin[1].2), (false, true));
}

#[test]
fn joined_texts_keep_their_lines() {
    let value = |code: &str, language| value_at(&pieces(code, language), 0).unwrap().0;
    let Value::Known(text) = value("\"SELECT a \" +\n  \"FROM b\"", Language::Java) else {
        panic!("not known")
    };
    assert_eq!(
        (text.value.as_str(), text.line, text.last_line),
        ("SELECT a \nFROM b", 1, 2)
    );
    let Value::Known(text) = value("(\n'SELECT '\n'1')", Language::Python) else {
        panic!("not known")
    };
    assert_eq!((text.value.as_str(), text.line), ("SELECT \n1", 2));
    for (code, language) in [
        ("\"SELECT \" + columns + \" FROM t\"", Language::Java),
        ("'SELECT %s' % name", Language::Python),
        ("'SELECT {}'.format(name)", Language::Python),
        ("f'SELECT {name}'", Language::Python),
    ] {
        assert_eq!(value(code, language), Value::Dynamic(1), "{code}");
    }
}

#[test]
fn broken_code_is_read_to_its_end() {
    for code in [
        "\"", "'''", "f'{", "`${", "r#\"", "/*", "'", "\\", "é\"é", "'\\", "/[", "\"\\",
    ] {
        for language in [
            Language::Python,
            Language::Java,
            Language::Kotlin,
            Language::JavaScript,
            Language::Rust,
            Language::Go,
        ] {
            let found = pieces(code, language);
            let _ = value_at(&found, 0);
        }
    }
}
