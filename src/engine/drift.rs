//! Whether a field, or a whole answer, still looks as it used to (ARCHITECTURE.md, rules E).

use crate::domain::{Drift, FieldCounts};

/// Fewer rows say nothing about an answer: any of them may be odd by itself.
const FEWEST_ROWS: u32 = 3;

/// How a field looks in the rows of one poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// As it should, in half of the rows at least.
    Right,
    /// In nine of ten rows it does not.
    Drifted(Drift),
    /// Neither can be said.
    Unclear,
}

/// How a field looks.
pub fn look(counts: FieldCounts) -> Look {
    let FieldCounts { right, absent, other } = counts;
    let rows = right + absent + other;
    if right > 0 && right * 2 >= rows {
        Look::Right
    } else if rows >= FEWEST_ROWS && right * 10 <= rows {
        Look::Drifted(if absent >= other { Drift::Gone } else { Drift::OtherType })
    } else {
        Look::Unclear
    }
}

/// Whether so many rows of a poll could not be understood that it is the answer which is odd; nothing where there are too few to say.
pub const fn is_mostly_odd(rows: usize, odd: usize) -> Option<bool> {
    if rows < FEWEST_ROWS as usize { None } else { Some(odd * 2 > rows) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_field_has_drifted_where_nine_of_ten_rows_lack_it() {
        let table = [
            ((1, 0, 0), Look::Right),
            ((10, 10, 0), Look::Right),
            ((4, 6, 0), Look::Unclear),
            ((1, 9, 0), Look::Drifted(Drift::Gone)),
            ((2, 9, 9), Look::Drifted(Drift::Gone)),
            ((0, 1, 2), Look::Drifted(Drift::OtherType)),
            ((0, 2, 0), Look::Unclear),
            ((0, 0, 0), Look::Unclear),
        ];
        for ((right, absent, other), expected) in table {
            assert_eq!(look(FieldCounts { right, absent, other }), expected, "{right} {absent} {other}");
        }
    }

    #[test]
    fn an_answer_is_odd_where_most_of_its_rows_are() {
        assert_eq!(
            [(2, 2), (4, 2), (4, 3), (100, 50)].map(|(rows, odd)| is_mostly_odd(rows, odd)),
            [None, Some(false), Some(true), Some(false)]
        );
    }

    proptest! {
        /// A row more in which it is right never makes it look worse, and one in which it is not never makes it look right.
        #[test]
        fn a_row_counts_in_its_own_direction(right in 0_u32..200, absent in 0_u32..200, other in 0_u32..200) {
            let counts = FieldCounts { right, absent, other };
            let badness = |counts| match look(counts) { Look::Right => 0, Look::Unclear => 1, Look::Drifted(_) => 2 };
            if right + absent + other >= FEWEST_ROWS {
                let one_more = [
                    FieldCounts { right: right + 1, ..counts },
                    FieldCounts { absent: absent + 1, ..counts },
                    FieldCounts { other: other + 1, ..counts },
                ];
                let [right, absent, other] = one_more.map(badness);
                prop_assert!(right <= badness(counts) && absent >= badness(counts) && other >= badness(counts));
            }
        }
    }
}
