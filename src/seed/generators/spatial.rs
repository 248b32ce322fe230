//! Figures on the earth's surface in the form of PostGIS (extended well-known binary), near places where many people
//! live, and vectors in the form of pgvector.

use crate::seed::random::Stream;
use crate::seed::types::Spatial;
use crate::seed::types::spatial::{
    COLLECTION, LINE, MULTILINE, MULTIPOINT, MULTIPOLYGON, POINT, POLYGON,
};

impl Spatial {
    /// Whether coordinates are longitude and latitude; where no system is named they nearly always are.
    const fn is_in_degrees(self) -> bool {
        matches!(
            self.srid,
            0 | 4326 | 4269 | 4258 | 4267 | 4283 | 4612 | 4617 | 4979 | 7844
        )
    }
}

/// Longitude and latitude of large towns, in degrees.
const TOWNS: &[(f64, f64)] = &[
    (-74.0, 40.7),
    (-118.2, 34.1),
    (-87.6, 41.9),
    (-95.4, 29.8),
    (-79.4, 43.7),
    (-99.1, 19.4),
    (-46.6, -23.5),
    (-58.4, -34.6),
    (-0.1, 51.5),
    (2.4, 48.9),
    (13.4, 52.5),
    (12.5, 41.9),
    (-3.7, 40.4),
    (4.9, 52.4),
    (18.1, 59.3),
    (21.0, 52.2),
    (28.9, 41.0),
    (31.2, 30.0),
    (3.4, 6.5),
    (28.0, -26.2),
    (55.3, 25.2),
    (77.2, 28.6),
    (103.8, 1.4),
    (121.5, 31.2),
    (139.7, 35.7),
    (151.2, -33.9),
    (174.8, -36.8),
];

/// Eight directions, in the order in which a ring goes round.
const ROUND: [(f64, f64); 8] = [
    (1.0, 0.0),
    (0.707_106_781_186_547_5, 0.707_106_781_186_547_5),
    (0.0, 1.0),
    (-0.707_106_781_186_547_5, 0.707_106_781_186_547_5),
    (-1.0, 0.0),
    (-0.707_106_781_186_547_5, -0.707_106_781_186_547_5),
    (0.0, -1.0),
    (0.707_106_781_186_547_5, -0.707_106_781_186_547_5),
];

/// A place, and how large what lies there is, in the system's units.
struct Spot {
    x: f64,
    y: f64,
    size: f64,
}

/// `geometry_send`: big-endian, with the system where there is one.
pub(crate) fn figure(mut stream: Stream, kind: Spatial, out: &mut Vec<u8>) {
    let town = TOWNS[stream.below(TOWNS.len() as u64) as usize];
    // Denser towards the middle: the sum of two.
    let mut around = |reach: f64| (stream.fraction() + stream.fraction() - 1.0) * reach;
    let spot = match kind.is_in_degrees() {
        true => Spot {
            x: town.0 + around(0.4),
            y: town.1 + around(0.3),
            size: 0.02,
        },
        // Metres, east and north of a false origin.
        false => Spot {
            x: 500_000.0 + around(200_000.0),
            y: 5_000_000.0 + around(400_000.0),
            size: 2_000.0,
        },
    };
    Writer { kind, stream, out }.shape(kind.shape, true, &spot);
}

/// `vector_send`: a direction, as embeddings are, of length one.
pub(crate) fn vector(stream: &Stream, dimensions: u16, out: &mut Vec<u8>) {
    let part = |mut stream: Stream| move || stream.fraction() - 0.5;
    let squares: f64 = std::iter::repeat_with(part(stream.branch(1)))
        .take(dimensions.into())
        .map(|x| x * x)
        .sum();
    let length = squares.sqrt().max(f64::MIN_POSITIVE);
    out.extend_from_slice(&dimensions.to_be_bytes());
    out.extend_from_slice(&[0, 0]);
    for x in std::iter::repeat_with(part(stream.branch(1))).take(dimensions.into()) {
        out.extend_from_slice(&((x / length) as f32).to_be_bytes());
    }
}

struct Writer<'o> {
    kind: Spatial,
    stream: Stream,
    out: &'o mut Vec<u8>,
}

impl Writer<'_> {
    /// One shape with its header; the outermost one names the system.
    fn shape(&mut self, shape: u32, outermost: bool, spot: &Spot) {
        const BIG_ENDIAN: u8 = 0;
        let system = if outermost { self.kind.srid } else { 0 };
        let flags = u32::from(self.kind.has_z) << 31
            | u32::from(self.kind.has_m) << 30
            | u32::from(system != 0) << 29;
        self.out.push(BIG_ENDIAN);
        self.number(shape | flags);
        if system != 0 {
            self.number(system);
        }
        match shape {
            LINE => self.line(spot),
            POLYGON => {
                self.number(1);
                self.ring(spot);
            }
            MULTIPOINT => self.several(POINT, spot),
            MULTILINE => self.several(LINE, spot),
            MULTIPOLYGON => self.several(POLYGON, spot),
            COLLECTION => {
                self.number(3);
                (POINT..=POLYGON).for_each(|inner| self.shape(inner, false, spot));
            }
            _ => self.point(spot.x, spot.y),
        }
    }

    /// One to three shapes side by side, which do not touch.
    fn several(&mut self, inner: u32, spot: &Spot) {
        let count = self.stream.between(1, 3) as u32;
        self.number(count);
        for place in 0..count {
            let x = spot.x + f64::from(place) * spot.size * 2.5;
            self.shape(inner, false, &Spot { x, ..*spot });
        }
    }

    /// Two to twelve points, each a step east of the one before.
    fn line(&mut self, spot: &Spot) {
        let count = self.stream.between(2, 12) as u32;
        self.number(count);
        for step in 0..count {
            let y = spot.y + (self.stream.fraction() - 0.5) * spot.size;
            self.point(spot.x + f64::from(step) * spot.size / 12.0, y);
        }
    }

    /// A closed ring that does not cross itself: eight points round the spot, each at its own distance.
    fn ring(&mut self, spot: &Spot) {
        let corners = ROUND.map(|(x, y)| {
            let distance = spot.size * (0.3 + 0.7 * self.stream.fraction());
            (spot.x + x * distance, spot.y + y * distance)
        });
        self.number(corners.len() as u32 + 1);
        for (x, y) in corners.iter().chain(corners.first()) {
            self.point(*x, *y);
        }
    }

    fn point(&mut self, x: f64, y: f64) {
        // No more digits than a receiver of positions gives.
        let rounded = |value: f64| (value * 1e6).round() / 1e6;
        for value in [rounded(x), rounded(y)] {
            self.out.extend_from_slice(&value.to_be_bytes());
        }
        for _ in 0..u8::from(self.kind.has_z) + u8::from(self.kind.has_m) {
            self.out.extend_from_slice(&0_f64.to_be_bytes());
        }
    }

    fn number(&mut self, value: u32) {
        self.out.extend_from_slice(&value.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::random::Key;

    fn written(modifier: i32, is_geography: bool) -> Vec<u8> {
        let mut out = Vec::new();
        figure(
            Key::new(1).stream(7),
            Spatial::of_modifier(modifier, is_geography),
            &mut out,
        );
        out
    }

    #[test]
    fn a_point_is_header_system_and_two_coordinates() {
        let point = written(-1, true);
        assert_eq!(point.len(), 1 + 4 + 4 + 16);
        assert_eq!(point[..9], [0, 0x20, 0, 0, 1, 0, 0, 0x10, 0xE6]);
        let longitude = f64::from_be_bytes(point[9..17].try_into().unwrap());
        assert!((-180.0..=180.0).contains(&longitude), "{longitude}");
    }

    #[test]
    fn a_ring_ends_where_it_begins() {
        let polygon = written(3 << 2, false);
        assert_eq!(polygon[1..5], 3_u32.to_be_bytes());
        assert_eq!(polygon[9..13], 9_u32.to_be_bytes());
        let corners: Vec<&[u8]> = polygon[13..].chunks(16).collect();
        assert_eq!(corners[0], corners[8]);
    }

    #[test]
    fn a_vector_has_length_one() {
        let mut out = Vec::new();
        vector(&Key::new(1).stream(3), 384, &mut out);
        assert_eq!(out.len(), 4 + 384 * 4);
        let parts = out[4..]
            .chunks(4)
            .map(|part| f32::from_be_bytes(part.try_into().unwrap()));
        let length: f64 = parts.map(|part| f64::from(part).powi(2)).sum();
        assert!((length - 1.0).abs() < 1e-3, "{length}");
    }
}
