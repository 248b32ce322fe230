//! Codes, tokens and digests.

use super::{Cell, Group, TextGenerator, put};
use crate::seed::random::mix;

const HEX_DIGITS: &[u8; 16] = b"0123456789abcdef";
const CODE_DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKLMNPQRSTVWXY";

pub(super) const HEX: TextGenerator = TextGenerator {
    name: "hex",
    summary: "64 hexadecimal digits, as of a SHA-256 digest",
    group: Group::Alone,
    columns: &[
        "token",
        "hash",
        "digest",
        "checksum",
        "fingerprint",
        "secret",
        "api_key",
        "apikey",
        "access_token",
        "refresh_token",
        "sha256",
        "sha1",
        "md5",
        "signature",
        "nonce",
        "salt",
        "etag",
        "token_hash",
        "session_id",
        "session_token",
        "reset_token",
        "confirmation_token",
    ],
    numbers_itself: true,
    width: 64,
    write: |cell, out| {
        // A bijection of the number first: different numbers stay different.
        let first = cell.number.map_or_else(|| cell.stream.next_bits(), mix);
        put_hex(first, out);
        for _ in 0..3 {
            put_hex(cell.stream.next_bits(), out);
        }
    },
};

pub(super) const PASSWORD_HASH: TextGenerator = TextGenerator {
    name: "password_hash",
    summary: "a bcrypt-like digest",
    group: Group::Alone,
    columns: &[
        "password",
        "password_hash",
        "passwd",
        "pwd",
        "encrypted_password",
        "password_digest",
        "hashed_password",
    ],
    numbers_itself: false,
    width: 60,
    write: |cell, out| {
        const DIGITS: &[u8; 64] = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        put(out, "$2b$12$");
        let mut bits = 0;
        for position in 0..53 {
            if position % 10 == 0 {
                bits = cell.stream.next_bits();
            }
            out.push(DIGITS[(bits & 63) as usize]);
            bits >>= 6;
        }
    },
};

pub(super) const UUID: TextGenerator = TextGenerator {
    name: "uuid",
    summary: "a UUID of version 4",
    group: Group::Alone,
    columns: &["uuid", "guid", "external_id", "correlation_id", "request_id", "trace_id", "transaction_id", "uid"],
    numbers_itself: true,
    width: 36,
    write: uuid,
};

fn uuid(cell: &mut Cell, out: &mut Vec<u8>) {
    let high = cell.stream.next_bits();
    // The low half's 62 free bits hold the number.
    let low = cell.number.unwrap_or_else(|| cell.stream.next_bits());
    let bytes = super::structured::uuid_bytes(high, low);
    for (position, byte) in bytes.into_iter().enumerate() {
        if matches!(position, 4 | 6 | 8 | 10) {
            out.push(b'-');
        }
        out.push(HEX_DIGITS[usize::from(byte >> 4)]);
        out.push(HEX_DIGITS[usize::from(byte & 15)]);
    }
}

pub(super) const CODE: TextGenerator = TextGenerator {
    name: "code",
    summary: "ten capital letters and digits",
    group: Group::Alone,
    columns: &[
        "code",
        "reference",
        "ref",
        "number",
        "order_number",
        "invoice_number",
        "tracking_number",
        "serial",
        "serial_number",
        "account_number",
        "coupon_code",
        "confirmation_code",
        "license",
        "license_key",
        "voucher",
        "no",
        "key",
    ],
    numbers_itself: false,
    width: 10,
    write: |cell, out| {
        let mut bits = cell.stream.next_bits();
        for _ in 0..10 {
            out.push(CODE_DIGITS[(bits & 31) as usize]);
            bits >>= 5;
        }
    },
};

fn put_hex(bits: u64, out: &mut Vec<u8>) {
    let mut text = [0_u8; 16];
    for (position, digit) in text.iter_mut().enumerate() {
        *digit = HEX_DIGITS[(bits >> (60 - position * 4) & 15) as usize];
    }
    out.extend_from_slice(&text);
}
