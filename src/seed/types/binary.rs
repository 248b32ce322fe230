//! PostgreSQL's binary formats, written straight into a buffer: the `send` functions of `src/backend/utils/adt`.
//! Nothing here allocates; whoever calls recycles the buffer.

/// What COPY BINARY begins with: signature, no flags, no extension.
pub const HEADER: &[u8; 19] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// What it ends with: a row of -1 columns.
pub const TRAILER: &[u8; 2] = &[0xff, 0xff];

/// How a number (an integer, a scaled decimal, a count of microseconds or days) is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScalarEncoding {
    Bool,
    Int2,
    Int4,
    Int8,
    /// `oid`, `xid`, `cid` and the `reg*` types.
    Oid,
    /// Scaled by ten to the power of `decimals`.
    Float4 {
        decimals: u8,
    },
    /// Scaled by ten to the power of `decimals`.
    Float8 {
        decimals: u8,
    },
    /// Scaled by ten to the power of `decimals`, which is also the display scale.
    Numeric {
        decimals: u8,
    },
    /// Hundredths.
    Money,
    /// Days since 2000-01-01.
    Date,
    /// Microseconds since midnight.
    Time,
    /// Microseconds since midnight, UTC.
    TimeTz,
    /// Microseconds since 2000-01-01, with or without time zone.
    Timestamp,
    /// Microseconds; whole days are kept as days.
    Interval,
}

/// Microseconds in a day.
pub const DAY: i64 = 86_400_000_000;

impl ScalarEncoding {
    /// Digits after the point that one unit stands for.
    #[must_use]
    pub const fn decimals(self) -> u8 {
        match self {
            Self::Float4 { decimals } | Self::Float8 { decimals } | Self::Numeric { decimals } => {
                decimals
            }
            Self::Money => 2,
            Self::Bool
            | Self::Int2
            | Self::Int4
            | Self::Int8
            | Self::Oid
            | Self::Date
            | Self::Time
            | Self::TimeTz
            | Self::Timestamp
            | Self::Interval => 0,
        }
    }

    /// The smallest and largest value that fit the type and that generation may use.
    #[must_use]
    pub const fn limits(self) -> (i64, i64) {
        match self {
            Self::Bool => (0, 1),
            Self::Int2 => (i16::MIN as i64, i16::MAX as i64),
            Self::Int4 => (i32::MIN as i64, i32::MAX as i64),
            Self::Oid => (0, u32::MAX as i64),
            // 24 bits of mantissa: every integer up to 2^24 is exact.
            Self::Float4 { .. } => (-(1 << 24), 1 << 24),
            Self::Float8 { .. } => (-(1 << 53), 1 << 53),
            Self::Int8 | Self::Numeric { .. } | Self::Money => (i64::MIN, i64::MAX),
            // 4713 BC to 5874897 AD.
            Self::Date => (-2_451_545, 2_145_031_948),
            Self::Time | Self::TimeTz => (0, DAY - 1),
            // 4713 BC to 294276 AD.
            Self::Timestamp => (-211_813_488_000_000_000, 9_223_371_331_200_000_000 - 1),
            Self::Interval => (i64::MIN / 4, i64::MAX / 4),
        }
    }

    /// Writes length and value.
    #[inline]
    pub fn write(self, value: i64, out: &mut Vec<u8>) {
        match self {
            Self::Bool => fixed(out, [u8::from(value != 0)]),
            Self::Int2 => fixed(out, (value as i16).to_be_bytes()),
            Self::Int4 | Self::Date => fixed(out, (value as i32).to_be_bytes()),
            Self::Oid => fixed(out, (value as u32).to_be_bytes()),
            Self::Int8 | Self::Money | Self::Time | Self::Timestamp => {
                fixed(out, value.to_be_bytes())
            }
            Self::Float4 { decimals } => {
                fixed(
                    out,
                    ((value as f64 / power_of_ten(decimals)) as f32).to_be_bytes(),
                );
            }
            Self::Float8 { decimals } => {
                fixed(out, (value as f64 / power_of_ten(decimals)).to_be_bytes())
            }
            Self::Numeric { decimals } => numeric(out, value, decimals),
            Self::TimeTz => {
                out.extend_from_slice(&12_u32.to_be_bytes());
                out.extend_from_slice(&value.to_be_bytes());
                out.extend_from_slice(&0_i32.to_be_bytes());
            }
            Self::Interval => {
                let (days, rest) = (value / DAY, value % DAY);
                out.extend_from_slice(&16_u32.to_be_bytes());
                out.extend_from_slice(&rest.to_be_bytes());
                out.extend_from_slice(&(days as i32).to_be_bytes());
                out.extend_from_slice(&0_i32.to_be_bytes());
            }
        }
    }
}

#[inline]
pub fn null(out: &mut Vec<u8>) {
    out.extend_from_slice(&(-1_i32).to_be_bytes());
}

/// A value of constant length, with its length.
#[inline]
pub fn fixed<const N: usize>(out: &mut Vec<u8>, bytes: [u8; N]) {
    const { assert!(N <= 16) };
    // One piece of constant length: the buffer is asked once whether there is room.
    let mut cell = [0; 20];
    cell[..4].copy_from_slice(&(N as u32).to_be_bytes());
    cell[4..4 + N].copy_from_slice(&bytes);
    out.extend_from_slice(&cell[..4 + N]);
}

/// A value that is there already, with its length.
#[inline]
pub fn bytes(out: &mut Vec<u8>, value: &[u8]) {
    out.extend_from_slice(&(value.len() as u32).to_be_bytes());
    out.extend_from_slice(value);
}

/// Bytes with their length.
#[must_use]
pub fn cell(value: &[u8]) -> Box<[u8]> {
    let mut cell = Vec::with_capacity(value.len() + 4);
    bytes(&mut cell, value);
    cell.into()
}

/// Leaves room for a length; give the result to [`end`] when the value is written.
#[inline]
#[must_use]
pub fn begin(out: &mut Vec<u8>) -> usize {
    out.extend_from_slice(&[0; 4]);
    out.len()
}

/// Fills in the length of the value that began at `start`.
#[inline]
pub fn end(out: &mut [u8], start: usize) {
    let length = (out.len() - start) as u32;
    out[start - 4..start].copy_from_slice(&length.to_be_bytes());
}

/// `array_send`'s head for one dimension.
pub fn array_header(length: u64, element_type: u32, out: &mut Vec<u8>) {
    let dimensions = u32::from(length > 0);
    out.extend_from_slice(&dimensions.to_be_bytes());
    out.extend_from_slice(&0_u32.to_be_bytes());
    out.extend_from_slice(&element_type.to_be_bytes());
    if length > 0 {
        out.extend_from_slice(&(length as u32).to_be_bytes());
        out.extend_from_slice(&1_u32.to_be_bytes());
    }
}

/// `10^decimals`.
#[must_use]
pub fn power_of_ten(decimals: u8) -> f64 {
    const POWERS: [f64; 19] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
        1e17, 1e18,
    ];
    POWERS.get(usize::from(decimals)).copied().unwrap_or(1e18)
}

/// `numeric_send`: base-10000 digits of `value / 10^decimals`, without leading or trailing zero digits.
fn numeric(out: &mut Vec<u8>, value: i64, decimals: u8) {
    // Shift so that the point lies between two base-10000 digits.
    let fraction_digits = u32::from(decimals).div_ceil(4);
    let pad = fraction_digits * 4 - u32::from(decimals);
    let shift = [1, 10, 100, 1000][pad as usize];
    let sign = if value < 0 { 0x4000_u16 } else { 0 };
    let mut digits = [0_u16; 12];
    let (length, trailing) = match value.unsigned_abs().checked_mul(shift) {
        Some(shifted) if shifted < 1_0000_0000_0000 => {
            return short_numeric(out, shifted, sign, fraction_digits as i32, decimals);
        }
        Some(shifted) => base_10000(shifted, &mut digits),
        None => base_10000_wide(
            u128::from(value.unsigned_abs()) * u128::from(shift),
            &mut digits,
        ),
    };
    let weight = if length == 0 {
        0
    } else {
        length as i32 + trailing - 1 - fraction_digits as i32
    };
    // Length, header and digits in one piece.
    let mut cell = [0_u8; 36];
    let used = 8 + 2 * length;
    cell[..4].copy_from_slice(&(used as u32).to_be_bytes());
    for (at, part) in [
        length as u16,
        weight as i16 as u16,
        sign,
        u16::from(decimals),
    ]
    .into_iter()
    .enumerate()
    {
        cell[4 + 2 * at..6 + 2 * at].copy_from_slice(&part.to_be_bytes());
    }
    for (at, digit) in digits[..length].iter().rev().enumerate() {
        cell[12 + 2 * at..14 + 2 * at].copy_from_slice(&digit.to_be_bytes());
    }
    out.extend_from_slice(&cell[..4 + used]);
}

/// A number of up to three base-10000 digits, which nearly all are: without a loop and without a branch.
#[inline]
fn short_numeric(out: &mut Vec<u8>, shifted: u64, sign: u16, fraction_digits: i32, decimals: u8) {
    let (low, rest) = (shifted % 10_000, shifted / 10_000);
    let (middle, high) = (rest % 10_000, rest / 10_000);
    // Each digit has 16 bits; zeros at either end are not written.
    let digits = high << 32 | middle << 16 | low;
    let leading = digits.leading_zeros() / 16 - 1;
    let trailing = (digits.trailing_zeros() / 16).min(3);
    let length = 3_u32.saturating_sub(leading + trailing);
    let weight = if length == 0 {
        0
    } else {
        2 - leading as i32 - fraction_digits
    };
    let header = u64::from(length) << 48
        | u64::from(weight as i16 as u16) << 32
        | u64::from(sign) << 16
        | u64::from(decimals);
    let used = 8 + 2 * length;
    let mut cell = [0; 20];
    cell[..4].copy_from_slice(&used.to_be_bytes());
    cell[4..12].copy_from_slice(&header.to_be_bytes());
    cell[12..].copy_from_slice(&(digits << 16 << (16 * leading.min(2))).to_be_bytes());
    let end = out.len() + 4 + used as usize;
    out.extend_from_slice(&cell);
    out.truncate(end);
}

/// The digits from the lowest that is not zero: how many, and how many zeros are left out below them.
fn base_10000(mut rest: u64, digits: &mut [u16; 12]) -> (usize, i32) {
    let (mut length, mut trailing) = (0, 0);
    while rest > 0 {
        let digit = (rest % 10_000) as u16;
        rest /= 10_000;
        if length == 0 && digit == 0 {
            trailing += 1;
        } else {
            digits[length] = digit;
            length += 1;
        }
    }
    (length, trailing)
}

/// The same of numbers whose shift takes them past 64 bits.
#[cold]
fn base_10000_wide(number: u128, digits: &mut [u16; 12]) -> (usize, i32) {
    const STEP: u128 = 10_000;
    let (low, high) = ((number % STEP) as u16, (number / STEP) as u64);
    if low == 0 {
        let (length, trailing) = base_10000(high, digits);
        return (length, trailing + 1);
    }
    let mut above = [0; 12];
    let (length, trailing) = base_10000(high, &mut above);
    // Zeros that are now between two digits.
    let zeros = trailing as usize;
    digits[0] = low;
    digits[1 + zeros..1 + zeros + length].copy_from_slice(&above[..length]);
    (1 + zeros + length, 0)
}

/// Writes a decimal number without allocating.
#[inline]
pub fn decimal(out: &mut Vec<u8>, mut number: u64) {
    let end = out.len();
    if number < 1000 {
        // Three digits, and as many of them as there are: most numbers are short.
        let digits = [
            (number / 100) as u8,
            (number / 10 % 10) as u8,
            (number % 10) as u8,
            0,
        ]
        .map(|digit| b'0' + digit);
        let length = 1 + usize::from(number >= 10) + usize::from(number >= 100);
        out.extend_from_slice(&(u32::from_be_bytes(digits) << (8 * (3 - length))).to_be_bytes());
        out.truncate(end + length);
        return;
    }
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// A signed integer of one to eight bytes.
#[must_use]
pub fn integer(body: &[u8]) -> Option<i64> {
    let first = *body.first().filter(|_| body.len() <= 8)?;
    let sign = i64::from(first as i8) >> 7;
    Some(
        body.iter()
            .fold(sign, |number, byte| number << 8 | i64::from(*byte)),
    )
}

/// What `numeric_send` wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numeric {
    /// The first digit stands for 10000 to the power of this.
    pub weight: i16,
    /// Decimal digits behind the point that are shown.
    pub scale: u16,
    sign: u16,
    /// To the base of 10000, the highest first.
    pub digits: Vec<u16>,
}

impl Numeric {
    /// From a value without its length; `None` where it ends early.
    #[must_use]
    pub fn read(body: &[u8]) -> Option<Self> {
        let short = |at: usize| {
            let bytes = body.get(2 * at..2 * at + 2)?;
            Some(u16::from_be_bytes(bytes.try_into().ok()?))
        };
        let count = usize::from(short(0)?);
        Some(Self {
            weight: short(1)? as i16,
            sign: short(2)?,
            scale: short(3)?,
            digits: (4..4 + count).map(short).collect::<Option<_>>()?,
        })
    }

    /// NaN and the infinities.
    #[must_use]
    pub const fn is_special(&self) -> bool {
        self.sign & 0x8000 != 0
    }

    /// Below zero.
    #[must_use]
    pub const fn is_negative(&self) -> bool {
        self.sign == 0x4000
    }

    /// The digit that stands for 10000 to the power of `place`.
    #[must_use]
    pub fn digit(&self, place: i32) -> u16 {
        usize::try_from(i32::from(self.weight) - place)
            .ok()
            .and_then(|at| self.digits.get(at))
            .copied()
            .unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        out[4..].iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Expected values are what `numeric_send(x::numeric)` prints.
    #[test]
    fn numerics() {
        let numeric =
            |value, decimals| hex(|out| ScalarEncoding::Numeric { decimals }.write(value, out));
        assert_eq!(numeric(0, 2), "0000000000000002");
        assert_eq!(numeric(12_345, 2), "0002000000000002007b1194");
        assert_eq!(numeric(-12_345, 2), "0002000040000002007b1194");
        assert_eq!(numeric(1_0000_0000, 0), "00010002000000000001");
        assert_eq!(numeric(5, 4), "0001ffff000000040005");
        assert_eq!(numeric(100, 2), "00010000000000020001");
        assert_eq!(numeric(i64::MIN, 3), "000500034000000324070e880e6512a71f90");
        assert_eq!(
            numeric(i64::MAX, 1),
            "0006000400000001005c092107f421631d9c1b58"
        );
    }

    #[test]
    fn decimals_read_as_numbers_do() {
        for number in (0..2_000).chain([9_999, 10_000, 123_456_789, u64::MAX]) {
            let mut out = b"a".to_vec();
            decimal(&mut out, number);
            assert_eq!(String::from_utf8(out).unwrap(), format!("a{number}"));
        }
    }

    #[test]
    fn integers_of_every_width() {
        assert_eq!(integer(&(-2_i16).to_be_bytes()), Some(-2));
        assert_eq!(integer(&70_000_i32.to_be_bytes()), Some(70_000));
        assert_eq!(integer(&i64::MIN.to_be_bytes()), Some(i64::MIN));
        assert_eq!(integer(&[]), None);
    }
}
