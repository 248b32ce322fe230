//! PostGIS's `geometry` and `geography`: what their modifier says.

/// What a column of type `geometry` or `geography` holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spatial {
    /// As the standard numbers them: 1 is a point, 6 a multipolygon.
    pub shape: u32,
    /// The spatial reference system; 0 where none is named.
    pub srid: u32,
    /// Coordinates have a height.
    pub has_z: bool,
    /// Coordinates have a measure.
    pub has_m: bool,
}

/// The shapes that are written; a collection holds one of each of the first three.
pub(in crate::seed) const POINT: u32 = 1;
pub(in crate::seed) const LINE: u32 = 2;
pub(in crate::seed) const POLYGON: u32 = 3;
pub(in crate::seed) const MULTIPOINT: u32 = 4;
pub(in crate::seed) const MULTILINE: u32 = 5;
pub(in crate::seed) const MULTIPOLYGON: u32 = 6;
pub(in crate::seed) const COLLECTION: u32 = 7;

impl Spatial {
    /// From the type's modifier; -1 says nothing: a point.
    #[must_use]
    pub fn of_modifier(modifier: i32, is_geography: bool) -> Self {
        let bits = u32::try_from(modifier).unwrap_or(0);
        let shape = match (bits & 0xFC) >> 2 {
            shape @ POINT..=COLLECTION => shape,
            _ => POINT,
        };
        let srid = match (bits & 0x0FFF_FF00) >> 8 {
            0 if is_geography => 4326,
            srid => srid,
        };
        Self {
            shape,
            srid,
            has_z: bits & 2 != 0,
            has_m: bits & 1 != 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_modifier_says_shape_system_and_dimensions() {
        // geometry(MultiPolygon,4326), geometry(PointZ,3857), geography(Point), geometry.
        let of = |modifier, is_geography| Spatial::of_modifier(modifier, is_geography);
        assert_eq!(
            of(1_107_480, false),
            Spatial {
                shape: 6,
                srid: 4326,
                has_z: false,
                has_m: false
            }
        );
        assert_eq!(
            of(987_398, false),
            Spatial {
                shape: 1,
                srid: 3857,
                has_z: true,
                has_m: false
            }
        );
        assert_eq!(
            of(-1, true),
            Spatial {
                shape: 1,
                srid: 4326,
                has_z: false,
                has_m: false
            }
        );
        assert_eq!(
            of(-1, false),
            Spatial {
                shape: 1,
                srid: 0,
                has_z: false,
                has_m: false
            }
        );
    }
}
