//! The parts of a `multipart/form-data` body, read as strictly as RFC 7578 asks for.

/// One part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) name: String,
    /// Files alone.
    pub(crate) file_name: Option<String>,
    pub(crate) content: String,
}

/// The parts; `None` where it is no multipart body at all, which is another kind of request.
pub(crate) fn parts(content_type: Option<&str>, body: &[u8]) -> Option<Vec<Part>> {
    let boundary = content_type?.strip_prefix("multipart/form-data; boundary=")?;
    let text = std::str::from_utf8(body).unwrap();
    let marked = text.strip_prefix(&format!("--{boundary}\r\n")).expect("it begins with its boundary");
    let inner = marked.strip_suffix(&format!("\r\n--{boundary}--\r\n")).expect("it ends with its boundary");
    Some(inner.split(&format!("\r\n--{boundary}\r\n")).map(part).collect())
}

fn part(text: &str) -> Part {
    let (head, content) = text.split_once("\r\n\r\n").expect("a part has a head");
    let disposition = head.lines().find_map(|line| line.strip_prefix("Content-Disposition: form-data; ")).expect("a part has a name");
    let value = |name: &str| disposition.split("; ").find_map(|field| Some(field.strip_prefix(name)?.trim_matches('"').to_owned()));
    Part { name: value("name=").expect("a part has a name"), file_name: value("filename="), content: content.to_owned() }
}
