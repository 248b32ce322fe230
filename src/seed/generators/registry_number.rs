//! Numbers that registries give out: goods, books, banks and taxpayers, with valid check digits, of ranges that are given to
//! nobody where there are such.

use super::{Cell, Group, TextGenerator, put, put_template};
use crate::seed::types::binary;

/// Appends a number with zeros before it.
fn padded(number: u64, digits: usize, out: &mut Vec<u8>) {
    let start = out.len();
    binary::decimal(out, number);
    let missing = digits.saturating_sub(out.len() - start);
    out.splice(start..start, std::iter::repeat_n(b'0', missing));
}

/// Appends the check digit of GS1: weights 3 and 1 from the right.
fn gs1_check(out: &mut Vec<u8>, start: usize) {
    let digits = out[start..].iter().rev().enumerate();
    let sum: u32 = digits
        .map(|(at, byte)| u32::from(byte - b'0') * if at % 2 == 0 { 3 } else { 1 })
        .sum();
    out.push(b'0' + ((10 - sum % 10) % 10) as u8);
}

fn number_below(cell: &mut Cell, bound: u64) -> u64 {
    cell.number.unwrap_or_else(|| cell.stream.below(bound))
}

pub(super) const EAN: TextGenerator = TextGenerator {
    name: "ean",
    summary: "an article number of 13 digits (EAN-13) of the range for use within a company",
    group: Group::Alone,
    columns: &[
        "ean", "ean13", "gtin", "gtin13", "barcode", "bar_code", "upc", "ean_code",
    ],
    numbers_itself: true,
    width: 13,
    write: |cell, out| {
        const BODY: u64 = 100_000_000_000;
        let (start, number) = (out.len(), number_below(cell, BODY));
        out.push(b'2');
        padded(number, 11, out);
        gs1_check(out, start);
    },
};

pub(super) const ISBN: TextGenerator = TextGenerator {
    name: "isbn",
    summary: "a book's number of 13 digits (ISBN-13)",
    group: Group::Alone,
    columns: &["isbn", "isbn13", "isbn_13"],
    numbers_itself: true,
    width: 13,
    write: |cell, out| {
        const BODY: u64 = 1_000_000_000;
        let (start, number) = (out.len(), number_below(cell, BODY));
        put(out, "978");
        padded(number, 9, out);
        gs1_check(out, start);
    },
};

pub(super) const BIC: TextGenerator = TextGenerator {
    name: "bic",
    summary: "a bank's code (ISO 9362)",
    group: Group::Alone,
    columns: &["bic", "swift", "swift_code", "bic_code", "bank_code"],
    numbers_itself: false,
    width: 8,
    write: |cell, out| {
        put_template(&mut cell.stream, "@@@@", out);
        put(
            out,
            cell.stream
                .pick(&["DE", "FR", "GB", "US", "NL", "ES", "IT", "CH"]),
        );
        put_template(&mut cell.stream, "@#", out);
    },
};

pub(super) const ACCOUNT_NUMBER: TextGenerator = TextGenerator {
    name: "account_number",
    summary: "ten digits",
    group: Group::Alone,
    columns: &[
        "account_number",
        "account_no",
        "bank_account_number",
        "acct_no",
        "routing_number",
    ],
    numbers_itself: true,
    width: 10,
    write: |cell, out| {
        const BODY: u64 = 9_000_000_000;
        binary::decimal(out, 1_000_000_000 + number_below(cell, BODY));
    },
};

pub(super) const TAX_NUMBER: TextGenerator = TextGenerator {
    name: "tax_number",
    summary: "a company's tax number",
    group: Group::Alone,
    columns: &[
        "tax_number",
        "tax_id",
        "taxid",
        "vat",
        "vat_id",
        "vat_number",
        "vatin",
        "ein",
        "tax_code_number",
        "tax_registration",
        "registration_number",
        "company_number",
    ],
    numbers_itself: true,
    width: 11,
    write: |cell, out| {
        const BODY: u64 = 900_000_000;
        put(out, "DE");
        binary::decimal(out, 100_000_000 + number_below(cell, BODY));
    },
};

pub(super) const NATIONAL_ID: TextGenerator = TextGenerator {
    name: "national_id",
    summary: "a person's number, of a range that is given to nobody",
    group: Group::Alone,
    columns: &[
        "ssn",
        "social_security_number",
        "national_id",
        "personal_id",
        "passport_number",
        "identity_number",
    ],
    numbers_itself: false,
    width: 11,
    write: |cell, out| put_template(&mut cell.stream, "9##-##-####", out),
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::generators::Locale;
    use crate::seed::random::Key;

    #[test]
    fn check_digits_are_right() {
        // ISBN 978-0-306-40615-7, the example of the standard's manual.
        let mut out = b"978030640615".to_vec();
        gs1_check(&mut out, 0);
        assert_eq!(out, b"9780306406157");
        for (generator, number) in [
            (&EAN, None),
            (&EAN, Some(17)),
            (&ISBN, Some(306_406_157)),
            (&ISBN, None),
        ] {
            let mut out = Vec::new();
            let mut cell = Cell {
                stream: Key::new(3).stream(1),
                number,
                locale: Locale::default_locale(),
            };
            (generator.write)(&mut cell, &mut out);
            let check = out.pop().unwrap();
            gs1_check(&mut out, 0);
            assert_eq!(
                (out.len(), out.last()),
                (13, Some(&check)),
                "{}",
                generator.name
            );
        }
    }
}
