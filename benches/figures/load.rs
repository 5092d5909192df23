//! Load on an HTTP door: raw HTTP/1.1 over connections that are kept, because a client library would cost more than what is measured.

use crate::support::fake_discord::interaction;
use bellwether::clock::{Clock as _, SystemClock};
use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
    time::Instant,
};

/// Connections that flood at once: enough to keep every core of a small machine busy.
const FLOODING: usize = 16;
/// Connections over which a steady load is spread: an answer that is late delays none of the others.
const STEADY: usize = 128;

/// An interaction as Discord posts it, signed now.
pub(crate) fn signed(body: &str) -> Vec<u8> {
    let at = SystemClock.now().as_secs();
    let signature = interaction::sign(body.as_bytes(), at);
    format!(
        "POST /discord/interactions HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\nuser-agent: Discord-Interactions/1.0\r\n\
         x-signature-ed25519: {signature}\r\nx-signature-timestamp: {at}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// One kept connection.
struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, buffer: Vec::with_capacity(16 * 1024) }
    }

    /// Sends a request and gives the body of its answer, which must be a 200.
    async fn ask(&mut self, request: &[u8]) -> Result<&[u8], String> {
        self.stream.write_all(request).await.map_err(|error| error.to_string())?;
        self.buffer.clear();
        loop {
            if self.stream.read_buf(&mut self.buffer).await.map_err(|error| error.to_string())? == 0 {
                return Err("the connection was closed".to_owned());
            }
            let Some(end) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4) else { continue };
            let head = std::str::from_utf8(&self.buffer[..end]).unwrap();
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
            });
            let Some(length) = length else { return Err(format!("an answer without a length: {head}")) };
            if self.buffer.len() >= end + length {
                let is_ok = head.starts_with("HTTP/1.1 200");
                return if is_ok { Ok(&self.buffer[end..end + length]) } else { Err(head.lines().next().unwrap_or_default().to_owned()) };
            }
        }
    }
}

/// Asks the same again and again over several connections, each as fast as it is answered: answers a second.
pub(crate) async fn flood(address: SocketAddr, request: &[u8], time: Duration, expected: &'static str) -> (u64, Duration) {
    let request: Arc<[u8]> = request.into();
    let count = Arc::new(AtomicU64::new(0));
    let began = Instant::now();
    let mut clients = JoinSet::new();
    for _ in 0..FLOODING {
        let (request, count) = (Arc::clone(&request), Arc::clone(&count));
        clients.spawn(async move {
            let mut connection = Connection::open(address).await;
            while began.elapsed() < time {
                let answer = connection.ask(&request).await.unwrap();
                assert!(answer.windows(expected.len()).any(|part| part == expected.as_bytes()), "{}", String::from_utf8_lossy(answer));
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    while let Some(ended) = clients.join_next().await {
        ended.unwrap();
    }
    (count.load(Ordering::Relaxed), began.elapsed())
}

/// What a steady load met.
pub(crate) struct Latencies {
    /// The shortest first, each with when its request was due.
    sorted: Vec<(Duration, Instant)>,
    /// Answers that were not what was expected, and the first of them.
    pub(crate) wrong: Vec<String>,
}

impl Latencies {
    /// The time that this share of the requests did not exceed.
    pub(crate) fn share(&self, share: f64) -> Duration {
        let index = (self.sorted.len() as f64 * share).ceil() as usize;
        self.sorted[index.clamp(1, self.sorted.len()) - 1].0
    }

    /// Those that were due within one of these spans.
    pub(crate) fn within(&self, spans: &[(Instant, Duration)]) -> Self {
        let is_within = |(_, due): &&(Duration, Instant)| spans.iter().any(|(begin, length)| (*begin..=*begin + *length).contains(due));
        Self { sorted: self.sorted.iter().filter(is_within).copied().collect(), wrong: Vec::new() }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.sorted.len()
    }
}

/// Sends every request at its own time, so many a second, whether earlier ones are answered or not. Each latency counts from the time at
/// which the request was due, so that a stall delays, and is seen by, everything that falls into it.
pub(crate) async fn steady(address: SocketAddr, requests: Vec<Vec<u8>>, per_second: u32, expected: &'static str) -> Latencies {
    let mut connections = Vec::new();
    for _ in 0..STEADY {
        connections.push(Connection::open(address).await);
    }
    let requests = Arc::new(requests);
    let next = Arc::new(AtomicUsize::new(0));
    let wrong = Arc::new(Mutex::new(Vec::new()));
    let began = Instant::now() + Duration::from_millis(20);
    let mut clients = JoinSet::new();
    for mut connection in connections {
        let (requests, next, wrong) = (Arc::clone(&requests), Arc::clone(&next), Arc::clone(&wrong));
        clients.spawn(async move {
            let mut latencies = Vec::new();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(request) = requests.get(index) else { return latencies };
                let due = began + Duration::from_secs_f64(index as f64 / f64::from(per_second));
                tokio::time::sleep_until(due).await;
                let said = match connection.ask(request).await {
                    Ok(answer) => String::from_utf8_lossy(answer).into_owned(),
                    Err(problem) => problem,
                };
                latencies.push((due.elapsed(), due));
                if !said.contains(expected) {
                    wrong.lock().unwrap().push(said);
                }
            }
        });
    }
    let mut sorted = Vec::with_capacity(requests.len());
    while let Some(latencies) = clients.join_next().await {
        sorted.extend(latencies.unwrap());
    }
    sorted.sort();
    let wrong = std::mem::take(&mut *wrong.lock().unwrap());
    Latencies { sorted, wrong }
}
