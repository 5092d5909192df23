//! The parts of a `multipart/form-data` body, read as strictly as RFC 7578 asks for.

/// One part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) name: String,
    /// Files alone.
    pub(crate) file_name: Option<String>,
    pub(crate) content_type: Option<String>,
    pub(crate) content: Vec<u8>,
}

/// A file as it arrived.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) content_type: Option<String>,
    pub(crate) content: Vec<u8>,
}

impl std::fmt::Debug for File {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} ({:?}, {} bytes)", self.name, self.content_type, self.content.len())
    }
}

impl File {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.content).unwrap()
    }

    /// Why this is no picture that the platforms show; nothing where it is one. Its head and its sizes are read as the format says.
    pub(crate) fn is_no_png(&self) -> Option<String> {
        let number = |at: usize| Some(u32::from_be_bytes(self.content.get(at..at + 4)?.try_into().ok()?));
        if self.content_type.as_deref() != Some("image/png") || !self.name.ends_with(".png") {
            return Some(format!("{self:?} is not called a PNG"));
        }
        if !self.content.starts_with(b"\x89PNG\r\n\x1a\n") || self.content.get(12..16) != Some(b"IHDR") {
            return Some(format!("{self:?} is no PNG"));
        }
        match (number(16), number(20)) {
            (Some(1200), Some(630)) => None,
            size => Some(format!("{self:?}: {size:?}")),
        }
    }
}

impl Part {
    pub(crate) fn file(&self) -> Option<File> {
        Some(File { name: self.file_name.clone()?, content_type: self.content_type.clone(), content: self.content.clone() })
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.content).expect("text in UTF-8")
    }
}

/// The parts; `None` where it is no multipart body at all, which is another kind of request.
pub(crate) fn parts(content_type: Option<&str>, body: &[u8]) -> Option<Vec<Part>> {
    let boundary = content_type?.strip_prefix("multipart/form-data; boundary=")?;
    let marked = body.strip_prefix(format!("--{boundary}\r\n").as_bytes()).expect("it begins with its boundary");
    let mut inner = marked.strip_suffix(format!("\r\n--{boundary}--\r\n").as_bytes()).expect("it ends with its boundary");
    let between = format!("\r\n--{boundary}\r\n");
    let mut found = Vec::new();
    while let Some(at) = position(inner, between.as_bytes()) {
        found.push(part(&inner[..at]));
        inner = &inner[at + between.len()..];
    }
    found.push(part(inner));
    Some(found)
}

fn position(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

fn part(bytes: &[u8]) -> Part {
    let end = position(bytes, b"\r\n\r\n").expect("a part has a head");
    let head = std::str::from_utf8(&bytes[..end]).unwrap();
    let line = |name: &str| head.lines().find_map(|line| line.strip_prefix(name));
    let disposition = line("Content-Disposition: form-data; ").expect("a part has a name");
    let value = |name: &str| disposition.split("; ").find_map(|field| Some(field.strip_prefix(name)?.trim_matches('"').to_owned()));
    Part {
        name: value("name=").expect("a part has a name"),
        file_name: value("filename="),
        content_type: line("Content-Type: ").map(str::to_owned),
        content: bytes[end + 4..].to_vec(),
    }
}
