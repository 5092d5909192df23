//! The nonce of a message part.

use crate::domain::MessageId;
use sha2::{Digest, Sha256};

/// 24 characters of base32(SHA-256(message id, part)): the same on each retry, never shared (`rules.md` 4.1). Discord takes up to 25.
pub fn nonce(message: MessageId, part: u32) -> String {
    let digest = Sha256::new().chain_update(message.0.to_be_bytes()).chain_update(part.to_be_bytes()).finalize();
    let mut text = data_encoding::BASE32_NOPAD.encode(&digest);
    text.truncate(24);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_stable_and_its_own() {
        assert_eq!(nonce(MessageId(1), 0).len(), 24);
        assert_eq!(nonce(MessageId(1), 0), nonce(MessageId(1), 0));
        assert_ne!(nonce(MessageId(1), 0), nonce(MessageId(1), 1));
        assert_ne!(nonce(MessageId(1), 0), nonce(MessageId(2), 0));
    }
}
