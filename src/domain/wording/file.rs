//! What goes with a card: a text to keep, or a picture to look at.

use super::Phrase;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{fmt, sync::Arc};

/// A file that goes with a card.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum CardFile {
    /// A picture that shows what the card says: without it the card still says it.
    Picture(Box<Picture>),
    /// A text that the reader asked for.
    Text {
        /// Its name, letters that every platform takes.
        name: String,
        /// What is in it.
        content: String,
    },
}

impl CardFile {
    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Text { name, .. } => name,
            Self::Picture(picture) => &picture.name,
        }
    }
}

/// A picture in the PNG format.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Picture {
    /// Its name, letters that every platform takes.
    pub name: String,
    /// What it shows, for whoever does not see it.
    pub alt: Phrase,
    /// Its bytes; stored in Base64.
    #[serde(serialize_with = "to_text", deserialize_with = "from_text")]
    pub png: Arc<[u8]>,
}

impl fmt::Debug for Picture {
    /// Without its bytes.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Picture").field("name", &self.name).field("bytes", &self.png.len()).finish_non_exhaustive()
    }
}

fn to_text<S: Serializer>(bytes: &[u8], out: S) -> Result<S::Ok, S::Error> {
    out.serialize_str(&data_encoding::BASE64.encode(bytes))
}

fn from_text<'de, D: Deserializer<'de>>(input: D) -> Result<Arc<[u8]>, D::Error> {
    let text = String::deserialize(input)?;
    data_encoding::BASE64.decode(text.as_bytes()).map(Arc::from).map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::wording::ReplyPhrase;

    #[test]
    fn both_kinds_are_stored_and_read_back() {
        let picture = Picture { name: "a.png".to_owned(), alt: ReplyPhrase::NotAdvice.into(), png: Arc::from([0_u8, 255, 7]) };
        for file in [CardFile::Picture(Box::new(picture)), CardFile::Text { name: "a.json".to_owned(), content: "{}".to_owned() }] {
            let stored = serde_json::to_string(&file).unwrap();
            assert_eq!(serde_json::from_str::<CardFile>(&stored).unwrap(), file, "{stored}");
        }
        let earlier = r#"{"name":"a.json","content":"x"}"#;
        assert!(matches!(serde_json::from_str(earlier), Ok(CardFile::Text { content, .. }) if content == "x"));
        assert!(serde_json::from_str::<CardFile>(r#"{"name":"a.png","png":"not base 64"}"#).is_err());
    }
}
