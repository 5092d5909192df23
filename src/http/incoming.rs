//! What every door checks of a request before it believes anything: a header that is said once, a body that ends, a secret that is shown.

use axum::{
    body::{BodyDataStream, Bytes},
    http::HeaderMap,
};
use futures_util::StreamExt as _;
use sha2::{Digest, Sha256};

/// Why a request's body was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// It is larger than the door takes, or says so of itself. What is left of it was not read.
    TooLarge,
    /// It broke off.
    Broken,
}

/// The whole body of at most `limit` bytes.
///
/// # Errors
/// Where it is larger or breaks off.
pub async fn read(headers: &HeaderMap, body: &mut BodyDataStream, limit: usize) -> Result<Vec<u8>, ReadError> {
    let announced = headers.get("content-length").and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(ReadError::TooLarge);
    }
    let mut whole = Vec::with_capacity(announced.unwrap_or(0));
    while let Some(chunk) = body.next().await {
        let chunk: Bytes = chunk.map_err(|_| ReadError::Broken)?;
        if whole.len() + chunk.len() > limit {
            return Err(ReadError::TooLarge);
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(whole)
}

/// The only value of a header; none where it is missing, repeated or not text.
pub fn only<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// Whether what was shown is the secret. Compares digests, every byte of them: how long it takes says nothing about the secret.
pub fn is_same(shown: &str, secret: &str) -> bool {
    let pairs = Sha256::digest(shown).into_iter().zip(Sha256::digest(secret));
    pairs.fold(0, |difference, (one, other)| difference | (one ^ other)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::{body::Body, http::HeaderValue};

    #[test]
    fn a_header_that_is_said_twice_is_not_said() {
        let mut headers = HeaderMap::new();
        assert_eq!(only(&headers, "x"), None);
        headers.append("x", HeaderValue::from_static("a"));
        assert_eq!(only(&headers, "x"), Some("a"));
        headers.append("x", HeaderValue::from_static("a"));
        assert_eq!(only(&headers, "x"), None);
    }

    #[test]
    fn a_secret_is_the_same_or_it_is_not() {
        assert!(is_same("s3cret", "s3cret"));
        for other in ["", "s3cre", "s3cret ", "S3cret", "s3cretx"] {
            assert!(!is_same(other, "s3cret"), "{other}");
        }
    }

    #[tokio::test]
    async fn a_body_is_read_up_to_its_limit() {
        let sized = |length: usize| Body::from("x".repeat(length)).into_data_stream();
        assert_eq!(read(&HeaderMap::new(), &mut sized(10), 10).await.map(|body| body.len()), Ok(10));
        assert_eq!(read(&HeaderMap::new(), &mut sized(11), 10).await, Err(ReadError::TooLarge));
        let announced = HeaderMap::from_iter([(axum::http::header::CONTENT_LENGTH, HeaderValue::from_static("11"))]);
        assert_eq!(read(&announced, &mut sized(1), 10).await, Err(ReadError::TooLarge));
        let broken = futures_util::stream::iter([Ok("x"), Err(std::io::Error::other("it breaks off"))]);
        assert_eq!(read(&HeaderMap::new(), &mut Body::from_stream(broken).into_data_stream(), 10).await, Err(ReadError::Broken));
    }
}
