//! People: the columns of one row name the same person.

use super::word::Word;
use super::{Cell, Group, TextGenerator, put_number};

pub(super) const FIRST_NAME: TextGenerator = TextGenerator {
    name: "first_name",
    summary: "a first name",
    group: Group::Person,
    columns: &[
        "first_name",
        "firstname",
        "given_name",
        "forename",
        "middle_name",
        "fname",
    ],
    numbers_itself: false,
    width: 6,
    write: |cell, out| person(cell).0.put(out),
};

pub(super) const LAST_NAME: TextGenerator = TextGenerator {
    name: "last_name",
    summary: "a family name",
    group: Group::Person,
    columns: &[
        "last_name",
        "lastname",
        "surname",
        "family_name",
        "lname",
        "maiden_name",
    ],
    numbers_itself: false,
    width: 7,
    write: |cell, out| person(cell).1.put(out),
};

pub(super) const FULL_NAME: TextGenerator = TextGenerator {
    name: "full_name",
    summary: "first and family name",
    group: Group::Person,
    columns: &[
        "full_name",
        "fullname",
        "person_name",
        "customer_name",
        "contact_name",
        "author_name",
        "user_full_name",
        "display_name",
        "recipient",
        "author",
        "owner_name",
        "employee_name",
        "cardholder",
    ],
    numbers_itself: false,
    width: 14,
    write: |cell, out| {
        let (first, last) = person(cell);
        first.put(out);
        out.push(b' ');
        last.put(out);
    },
};

pub(super) const USERNAME: TextGenerator = TextGenerator {
    name: "username",
    summary: "a user name made of the person's names",
    group: Group::Person,
    columns: &[
        "username",
        "user_name",
        "login",
        "nickname",
        "handle",
        "nick",
        "screen_name",
        "login_name",
    ],
    numbers_itself: true,
    width: 13,
    write: |cell, out| {
        let (first, last) = person(cell);
        first.put_plain(out);
        out.push(b'.');
        last.put_plain(out);
        put_number(cell, out);
    },
};

/// First and family name: always the first two draws of the group's stream.
pub(super) fn person(cell: &mut Cell) -> (&'static Word, &'static Word) {
    (
        cell.stream.pick_of(cell.locale.first_names),
        cell.stream.pick_of(cell.locale.last_names),
    )
}
