//! libpq's other notation, `host=db user=app dbname=shop`, as a URL.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// The same as a URL; `None` where the text is not of that notation.
pub(super) fn to_url(text: &str) -> Option<String> {
    let mut pairs = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (keyword, after) = rest.split_once('=')?;
        let keyword = keyword.trim_end();
        if keyword.is_empty()
            || !keyword
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        {
            return None;
        }
        let (value, left) = value(after.trim_start())?;
        pairs.push(format!(
            "{keyword}={}",
            utf8_percent_encode(&value, NON_ALPHANUMERIC)
        ));
        rest = left.trim_start();
    }
    (!pairs.is_empty()).then(|| format!("postgres:///?{}", pairs.join("&")))
}

/// A value, quoted or not, and what follows it; `None` where a quote stays open.
fn value(text: &str) -> Option<(String, &str)> {
    let quoted = text.starts_with('\'');
    let mut value = String::new();
    let mut characters = text.char_indices().skip(usize::from(quoted));
    while let Some((index, character)) = characters.next() {
        match character {
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            '\'' if quoted => return Some((value, &text[index + 1..])),
            space if space.is_whitespace() && !quoted => return Some((value, &text[index..])),
            other => value.push(other),
        }
    }
    (!quoted).then_some((value, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_become_a_url() {
        assert_eq!(
            to_url(r"host=db.example port = 6432 password='it\'s me' dbname=shop").as_deref(),
            Some("postgres:///?host=db%2Eexample&port=6432&password=it%27s%20me&dbname=shop")
        );
        assert_eq!(to_url("shop"), None);
        assert_eq!(to_url("password='open"), None);
        assert_eq!(to_url(""), None);
    }
}
