//! Companies, work and its states, and money.

use fake::locales::{Data, EN};

use super::{Group, TextGenerator, put, put_template};
use crate::seed::types::binary;

pub(super) const COMPANY: TextGenerator = TextGenerator {
    name: "company",
    summary: "a company's name",
    group: Group::Alone,
    columns: &[
        "company",
        "company_name",
        "companyname",
        "organization",
        "organisation",
        "organization_name",
        "employer",
        "brand",
        "brand_name",
        "vendor",
        "vendor_name",
        "supplier",
        "supplier_name",
        "manufacturer",
        "publisher",
        "merchant",
        "merchant_name",
        "tenant_name",
        "shop_name",
        "store_name",
    ],
    numbers_itself: false,
    width: 15,
    write: |cell, out| {
        cell.stream.pick_of(cell.locale.last_names).put(out);
        if cell.stream.below(3) == 0 {
            put(out, " & ");
            cell.stream.pick_of(cell.locale.last_names).put(out);
        }
        out.push(b' ');
        put(out, cell.stream.pick(cell.locale.company_suffixes));
    },
};

pub(super) const STATUS: TextGenerator = TextGenerator {
    name: "status",
    summary: "where something stands, most of it in few places",
    group: Group::Alone,
    columns: &["status", "status_code", "status_name", "stage", "lifecycle"],
    numbers_itself: false,
    width: 7,
    write: |cell, out| {
        const STATUS: &[&str] = &[
            "active",
            "active",
            "active",
            "active",
            "active",
            "active",
            "completed",
            "completed",
            "completed",
            "pending",
            "pending",
            "inactive",
            "draft",
            "cancelled",
            "failed",
            "archived",
        ];
        put(out, cell.stream.pick(STATUS));
    },
};

pub(super) const CURRENCY: TextGenerator = TextGenerator {
    name: "currency",
    summary: "a currency's three letters, mostly the large ones",
    group: Group::PlaceToo,
    columns: &[
        "currency",
        "curr",
        "currency_code",
        "currencycode",
        "currency_iso",
    ],
    numbers_itself: false,
    width: 3,
    write: |cell, out| {
        const LARGE: &[&str] = &[
            "USD", "EUR", "USD", "EUR", "GBP", "JPY", "CAD", "AUD", "CHF", "SEK",
        ];
        let table = if cell.stream.below(10) < 9 {
            LARGE
        } else {
            EN::CURRENCY_CODE
        };
        put(out, cell.stream.pick(table));
    },
};

pub(super) const IBAN: TextGenerator = TextGenerator {
    name: "iban",
    summary: "a bank account number with valid check digits (DE)",
    group: Group::Alone,
    columns: &["iban", "account_iban", "bank_account"],
    numbers_itself: true,
    width: 22,
    write: |cell, out| {
        let number = cell
            .number
            .unwrap_or_else(|| cell.stream.below(10_000_000_000));
        let bank = cell.stream.between(10_000_000, 99_999_999);
        // ISO 13616: the country's letters as numbers (DE = 1314) and 00 at the end, modulo 97.
        let account = u128::from(number % 10_000_000_000);
        let checked = (u128::from(bank) * 10_000_000_000 + account) * 1_000_000 + 131_400;
        let check = 98 - (checked % 97) as u64;
        put(out, "DE");
        if check < 10 {
            out.push(b'0');
        }
        binary::decimal(out, check);
        binary::decimal(out, bank);
        let account = number % 10_000_000_000;
        let mut place = 1_000_000_000;
        while place > account.max(1) {
            out.push(b'0');
            place /= 10;
        }
        binary::decimal(out, account);
    },
};

pub(super) const CARD_NUMBER: TextGenerator = TextGenerator {
    name: "card_number",
    summary: "a payment card's number from a range for tests, with a valid check digit",
    group: Group::Alone,
    columns: &[
        "card_number",
        "credit_card",
        "credit_card_number",
        "cardnumber",
    ],
    numbers_itself: false,
    width: 16,
    write: |cell, out| {
        let start = out.len();
        put_template(&mut cell.stream, "400000#########", out);
        // Luhn.
        let sum: u32 = out[start..]
            .iter()
            .rev()
            .enumerate()
            .map(|(position, byte)| {
                let digit = u32::from(byte - b'0') * if position % 2 == 0 { 2 } else { 1 };
                if digit > 9 { digit - 9 } else { digit }
            })
            .sum();
        out.push(b'0' + ((10 - sum % 10) % 10) as u8);
    },
};

pub(super) const JOB_TITLE: TextGenerator = TextGenerator {
    name: "job_title",
    summary: "a position",
    group: Group::Alone,
    columns: &[
        "job_title",
        "jobtitle",
        "job",
        "position_title",
        "occupation",
        "profession",
        "contact_title",
    ],
    numbers_itself: false,
    width: 22,
    write: |cell, out| {
        put(out, cell.stream.pick(EN::JOB_SENIORITY));
        out.push(b' ');
        put(out, cell.stream.pick(EN::JOB_FIELD));
        out.push(b' ');
        put(out, cell.stream.pick(EN::JOB_POSITION));
    },
};

pub(super) const INDUSTRY: TextGenerator = TextGenerator {
    name: "industry",
    summary: "a branch of industry",
    group: Group::Alone,
    columns: &["industry", "sector"],
    numbers_itself: false,
    width: 19,
    write: |cell, out| put(out, cell.stream.pick(EN::COMPANY_INDUSTRY)),
};
