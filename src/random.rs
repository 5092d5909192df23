//! Randomness that nobody guesses. What only has to differ, such as jitter, takes `fastrand`.

/// Random bytes; nothing, with a line in the log, where the system has none to give.
pub fn bytes<const N: usize>() -> Option<[u8; N]> {
    let mut random = [0; N];
    match rustls::crypto::ring::default_provider().secure_random.fill(&mut random) {
        Ok(()) => Some(random),
        Err(_) => {
            tracing::error!("the system gives no random bytes: links and buttons are left out");
            None
        }
    }
}
