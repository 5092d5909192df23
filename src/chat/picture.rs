//! How a picture is put into a form, the same for every platform.

use crate::domain::wording::Picture;
use reqwest::multipart::Part;

/// The part of a form that carries this picture.
pub(super) fn png_part(picture: &Picture) -> Part {
    let part = |part: Part| part.file_name(picture.name.clone());
    let bytes = || Part::bytes(picture.png.to_vec());
    // It is a media type; the error that reqwest knows cannot come.
    part(bytes().mime_str("image/png").unwrap_or_else(|_| bytes()))
}
