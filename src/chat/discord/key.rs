//! The application's public key, with which Discord's requests are checked.

use ed25519_dalek::{Signature, VerifyingKey};

/// A key that was checked to be usable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

/// Why a key is refused at start (`rules.md` 6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublicKeyError {
    /// Not 64 hexadecimal digits.
    #[error("is not 64 hexadecimal digits; copy it from General Information in Discord's developer portal")]
    Malformed,
    /// 32 bytes that are no point of the curve.
    #[error("is not an Ed25519 key; copy it again from General Information in Discord's developer portal")]
    NotAKey,
    /// A key of small order, for which anyone can make signatures.
    #[error("is a weak key, for which anyone can sign; copy it again from General Information in Discord's developer portal")]
    Weak,
}

impl PublicKey {
    /// Reads the 64 hexadecimal digits that Discord shows.
    ///
    /// # Errors
    /// Where they are not that, not a key, or a weak one.
    pub fn parse(hex: &str) -> Result<Self, PublicKeyError> {
        let bytes: [u8; 32] = unhex(hex.trim()).ok_or(PublicKeyError::Malformed)?;
        let key = VerifyingKey::from_bytes(&bytes).map_err(|_| PublicKeyError::NotAKey)?;
        if key.is_weak() { Err(PublicKeyError::Weak) } else { Ok(Self(key)) }
    }

    /// Whether the holder of the key signed `timestamp` followed by `body`, checked strictly: no small-order points, no second form.
    pub(super) fn signed(&self, signature: &[u8; 64], timestamp: &str, body: &[u8]) -> bool {
        let message = [timestamp.as_bytes(), body].concat();
        self.0.verify_strict(&message, &Signature::from_bytes(signature)).is_ok()
    }

    /// As Discord writes it: to compare with what it says of the application.
    pub fn hex(&self) -> String {
        data_encoding::HEXLOWER.encode(self.0.as_bytes())
    }
}

/// Exactly `N` bytes in hexadecimal, of either case.
pub(super) fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    data_encoding::HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_strong_key_is_taken() {
        let good = "b2971787794785ebebe927c6230bc6f40f026cfc882da44f2d235b9691c37a85";
        assert_eq!(PublicKey::parse(good).unwrap().hex(), good);
        assert_eq!(PublicKey::parse(&good.to_uppercase()).unwrap().hex(), good);
        for bad in ["", "b297", &good[1..], &format!("{good}00"), &good.replace('b', "x"), &good.replace('b', "ß")] {
            assert_eq!(PublicKey::parse(bad), Err(PublicKeyError::Malformed), "{bad}");
        }
        // The neutral element: every signature by it can be forged.
        assert_eq!(PublicKey::parse(&format!("01{}", "00".repeat(31))), Err(PublicKeyError::Weak));
        assert_eq!(PublicKey::parse(&"00".repeat(32)), Err(PublicKeyError::Weak));
        assert_eq!(PublicKey::parse(&format!("02{}", "00".repeat(31))), Err(PublicKeyError::NotAKey));
    }
}
