//! The product's door before a fake Discord: what a request from outside meets.

use super::{APPLICATION, FakeDiscord, TOKEN, interaction, spec};
use crate::support::app::settle;
use bellwether::{
    chat::discord::{Discord, DiscordSettings, PublicKey, router},
    clock::{ManualClock, SharedClock},
    commands::{Desk, DeskSettings},
    domain::Timestamp,
    store::Store,
};
use serde_json::Value;
use std::sync::Arc;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

/// When the samples were signed: the tests' clocks stand here.
pub(crate) const NOW: i64 = 1_795_255_200;

/// A running door. Its clock stands until a test moves it.
pub(crate) struct Door {
    pub(crate) fake: FakeDiscord,
    pub(crate) discord: Discord,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) tasks: TaskTracker,
    pub(crate) address: std::net::SocketAddr,
    server: JoinHandle<()>,
    _files: tempfile::TempDir,
}

/// The bot before this fake, with a token.
pub(crate) fn bot(fake: &FakeDiscord, clock: Arc<ManualClock>, token: &str, public_key: &str) -> Discord {
    let settings = DiscordSettings {
        api_url: fake.url.clone(),
        token: token.to_owned().into(),
        application_id: APPLICATION,
        public_key: Some(PublicKey::parse(public_key).unwrap()),
    };
    Discord::new(settings, clock)
}

impl Door {
    pub(crate) async fn open() -> Self {
        Self::with_key(&interaction::public_key()).await
    }

    pub(crate) async fn with_key(public_key: &str) -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::from_secs(NOW)));
        Self::with_desk_clock(public_key, clock.clone(), clock).await
    }

    /// The desk has a clock of its own.
    pub(crate) async fn with_desk_clock(public_key: &str, clock: Arc<ManualClock>, desk_clock: SharedClock) -> Self {
        let fake = FakeDiscord::start(clock.clone()).await;
        let discord = bot(&fake, clock.clone(), TOKEN, public_key);
        let files = tempfile::tempdir().unwrap();
        let store = Store::open(&format!("sqlite://{}", files.path().join("door.db").display())).await.unwrap();
        let (desk, _lookups) = Desk::new(store, desk_clock, DeskSettings::default());
        let tasks = TaskTracker::new();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let routes = router(&discord, desk, tasks.clone()).unwrap();
        let server = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { fake, discord, clock, tasks, address, server, _files: files }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/discord/interactions", self.address)
    }

    /// Posts bytes with these headers; status and body.
    pub(crate) async fn post(&self, headers: &[(&str, &str)], body: &[u8]) -> (u16, Vec<u8>) {
        let mut request = reqwest::Client::new().post(self.url()).body(body.to_vec());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.bytes().await.unwrap().to_vec())
    }

    /// Posts bytes signed by Discord's key at this time.
    pub(crate) async fn signed_at(&self, at: i64, body: &[u8]) -> (u16, Vec<u8>) {
        let signature = interaction::sign(body, at);
        self.post(&[("X-Signature-Ed25519", &signature), ("X-Signature-Timestamp", &at.to_string())], body).await
    }

    /// Posts a good interaction; the answer, which Discord would take.
    pub(crate) async fn interact(&self, interaction: &Value) -> Value {
        let (status, body) = self.signed_at(NOW, interaction.to_string().as_bytes()).await;
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
        let answer: Value = serde_json::from_slice(&body).unwrap();
        let template = "/interactions/{interaction_id}/{interaction_token}/callback";
        assert_eq!(spec::complaints("post", template, &answer), Vec::<String>::new(), "{answer:#}");
        answer
    }

    /// Waits until all work behind the answers is done. Its pauses pass on the clock.
    pub(crate) async fn settle(&self) {
        settle(&self.tasks, &self.clock).await;
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.server.abort();
    }
}
