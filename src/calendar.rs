//! Days of the proleptic Gregorian calendar and their numbers, counted from 2000-01-01 as PostgreSQL counts them (Howard Hinnant,
//! "chrono-Compatible Low-Level Date Algorithms").

/// Days from 1970-01-01 to 2000-01-01.
pub const SINCE_1970: i64 = 10_957;
/// From 0000-03-01, with which the algorithms' years begin, to 2000-01-01.
const SINCE_MARCH_OF_0: i64 = 719_468 + SINCE_1970;
/// Of 400 years.
const DAYS_OF_ERA: i64 = 146_097;

/// The number of a day.
#[must_use]
pub fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let shifted_month = (i64::from(month) + 9) % 12;
    let day_of_year = (153 * shifted_month + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * DAYS_OF_ERA + day_of_era - SINCE_MARCH_OF_0
}

/// Year, month and day of a number; the year before 1 is 0.
#[must_use]
pub fn civil_from_days(days: i64) -> (i64, u32, u32) {
    let days = days.saturating_add(SINCE_MARCH_OF_0);
    let era = days.div_euclid(DAYS_OF_ERA);
    let day_of_era = days.rem_euclid(DAYS_OF_ERA);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = (shifted_month + 2) % 12 + 1;
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    // Both are small.
    let small = |number: i64| u32::try_from(number).unwrap_or(1);
    (year, small(month), small(day))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_days_have_their_numbers() {
        for (civil, days) in [
            ((2000, 1, 1), 0),
            ((2026, 1, 1), 9497),
            ((1970, 1, 1), -SINCE_1970),
            ((2000, 2, 29), 59),
            ((1900, 3, 1), -36_465),
            ((0, 3, 1), -SINCE_MARCH_OF_0),
        ] {
            let (year, month, day) = civil;
            assert_eq!(days_from_civil(year, month, day), days, "{civil:?}");
            assert_eq!(civil_from_days(days), civil, "{days}");
        }
    }

    #[test]
    fn each_day_of_a_thousand_years_is_itself_and_follows_the_last() {
        let mut last = civil_from_days(-180_000);
        for days in -179_999..180_000 {
            let (year, month, day) = civil_from_days(days);
            assert_eq!(days_from_civil(year, month, day), days);
            assert!((year, month, day) > last && day <= 31 && month <= 12);
            last = (year, month, day);
        }
    }
}
