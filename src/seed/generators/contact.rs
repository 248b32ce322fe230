//! How a person is reached.

use super::name::person;
use super::{Cell, Group, TextGenerator, put, put_number, put_template};
use crate::seed::types::binary;

/// Reserved for examples (RFC 2606 and 6761): nobody gets mail that a test sends by mistake.
const DOMAINS: &[&str] = &[
    "example.com",
    "example.org",
    "example.net",
    "mail.example.com",
    "post.example.org",
    "corp.example.net",
    "web.example.com",
];

pub(super) const EMAIL: TextGenerator = TextGenerator {
    name: "email",
    summary: "a mail address of the row's person, in a domain that is reserved for examples",
    group: Group::Person,
    columns: &[
        "email",
        "e_mail",
        "mail",
        "email_address",
        "emailaddress",
        "mail_address",
    ],
    numbers_itself: true,
    width: 29,
    write: |cell, out| {
        let (first, last) = person(cell);
        first.put_plain(out);
        out.push(b'.');
        last.put_plain(out);
        put_number(cell, out);
        out.push(b'@');
        put(out, cell.stream.pick(DOMAINS));
    },
};

pub(super) const PHONE: TextGenerator = TextGenerator {
    name: "phone",
    summary: "a telephone number",
    group: Group::PlaceToo,
    columns: &[
        "phone",
        "phone_number",
        "phonenumber",
        "telephone",
        "tel",
        "mobile",
        "mobile_number",
        "cell",
        "cell_phone",
        "fax",
        "fax_number",
    ],
    numbers_itself: true,
    width: 14,
    write: phone,
};

fn phone(cell: &mut Cell, out: &mut Vec<u8>) {
    match cell.number {
        // Ten digits hold every row; a longer number grows.
        Some(number) => {
            put(out, "+1");
            let digits = number % 10_000_000_000;
            binary::decimal(
                out,
                number / 10_000_000_000 * 9_000_000_000 + 2_000_000_000 + digits,
            );
        }
        None => {
            let template = cell.stream.pick(cell.locale.phones);
            put_template(&mut cell.stream, template, out);
        }
    }
}
