//! Rows of grades: how a token is graded at the moment, without a time of their own.

use super::{version::Keys, wire};
use crate::{
    domain::{Graded, Kind, Observation, Scores, SetAside, SetAsideReason, Timestamp, Values, clean_name},
    sources::value::Value,
};

/// One row of a graded kind. It is of the time at which it was asked for, which whoever asked knows: here it has none.
pub(super) fn observation(keys: &Keys, kind: Kind, row: &Value<'_>) -> Result<Observation, SetAside> {
    let unreadable = SetAside { token: None, data_time: None, reason: SetAsideReason::Unreadable };
    let token = wire::token_id(keys, row).ok_or(unreadable)?;
    let keys = if kind == Kind::Grade { &keys.grade } else { &keys.fundamental };
    // A number that cannot be read never costs a row its label.
    let number = |key: &str| wire::number(row.get(key)).unwrap_or_default();
    let label = row.get(keys.label).and_then(Value::as_str).map(clean_name).filter(|label| !label.is_empty());
    let scores = keys.scores.map(|keys| keys.map(number)).map(Scores::from).unwrap_or_default();
    let graded = Graded { label, grade: number(keys.grade), scores };
    let values = Values { graded: Some(Box::new(graded)), ..Values::default() };
    Ok(Observation { token, data_time: Timestamp::EPOCH, signal: None, trend: None, position: None, values })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{domain::Component, sources::token_metrics::Version};

    fn graded(version: Version, kind: Kind, row: &str) -> Graded {
        let row = serde_json::from_str(row).unwrap();
        *observation(version.keys(), kind, &row).unwrap().values.graded.unwrap()
    }

    #[test]
    fn numbers_and_labels_come_in_every_guise() {
        let grade = |row| graded(Version::V2, Kind::Grade, row);
        let current = grade(r#"{"TOKEN_ID": 3375, "TM_GRADE": "64.05", "TM_GRADE_SIGNAL": " Buy ", "TM_GRADE_24h_PCT_CHANGE": "0.5"}"#);
        assert_eq!((current.label.as_deref(), current.grade), (Some("Buy"), Some(64.05)));
        let odd = grade(r#"{"TOKEN_ID": 3375, "TM_GRADE": "n/a", "TM_GRADE_SIGNAL": null}"#);
        assert_eq!(odd, Graded::default());
        let later = graded(Version::V3, Kind::Grade, r#"{"token_id": 3375, "tm_grade": 64.05, "tm_grade_signal": "Hold"}"#);
        assert_eq!((later.label.as_deref(), later.grade), (Some("Hold"), Some(64.05)));
    }

    #[test]
    fn a_fundamental_grade_comes_with_its_parts() {
        let row = r#"{"TOKEN_ID": 3375, "FUNDAMENTAL_GRADE": "91.2", "FUNDAMENTAL_GRADE_CLASS": "blueChip", "COMMUNITY_SCORE": 88.12345678,
            "EXCHANGE_SCORE": "99", "VC_SCORE": null, "TOKENOMICS_SCORE": 70}"#;
        let read = graded(Version::V2, Kind::Fundamental, row);
        assert_eq!((read.label.as_deref(), read.grade), (Some("blueChip"), Some(91.2)));
        let expected = |component| match component {
            Component::Community => Some(88.12345678),
            Component::Tokenomics => Some(70.0),
            Component::Exchanges => Some(99.0),
            Component::Investors | Component::DefiHealth => None,
        };
        assert_eq!(read.scores, Scores::from(Component::ALL.map(expected)));
    }

    #[test]
    fn a_row_without_a_token_is_set_aside() {
        let row = serde_json::from_str(r#"{"TM_GRADE": "64", "TM_GRADE_SIGNAL": "Buy"}"#).unwrap();
        let aside = observation(Version::V2.keys(), Kind::Grade, &row).unwrap_err();
        assert_eq!((aside.token, aside.reason), (None, SetAsideReason::Unreadable));
    }
}
