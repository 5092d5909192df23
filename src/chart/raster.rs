//! From SVG to PNG. A chart is flat colours with soft edges: 256 of them are enough, and a palette is what makes it small and quick.

use super::{ChartError, font::FACES};
use resvg::{tiny_skia, usvg};
use std::{
    collections::HashMap,
    sync::{Arc, LazyLock},
};

/// In pixels: what both platforms show without cropping.
pub const WIDTH: u32 = 1200;
/// In pixels.
pub const HEIGHT: u32 = 630;
const MOST_COLOURS: usize = 256;

static OPTIONS: LazyLock<usvg::Options<'static>> = LazyLock::new(|| {
    let mut fonts = usvg::fontdb::Database::new();
    for face in FACES {
        fonts.load_font_source(usvg::fontdb::Source::Binary(Arc::new(face)));
    }
    usvg::Options { font_family: "Inter".to_owned(), fontdb: Arc::new(fonts), ..usvg::Options::default() }
});

/// Draws an SVG of ours as a PNG. Takes some 20 ms of CPU.
///
/// # Errors
/// Where the SVG cannot be read.
pub fn png(svg: &str) -> Result<Vec<u8>, ChartError> {
    let tree = usvg::Tree::from_str(svg, &OPTIONS).map_err(|error| ChartError(error.to_string()))?;
    let mut pixels = tiny_skia::Pixmap::new(WIDTH, HEIGHT).ok_or_else(|| ChartError("no room for the pixels".to_owned()))?;
    resvg::render(&tree, tiny_skia::Transform::identity(), &mut pixels.as_mut());
    let (palette, indices) = with_palette(pixels.data());
    encoded(&palette, &indices).map_err(|error| ChartError(error.to_string()))
}

type Colour = [u8; 3];

/// Up to 256 colours and the place of each pixel's among them. The most frequent ones stay as they are; the others, all of them soft
/// edges, take the nearest.
fn with_palette(pixels: &[u8]) -> (Vec<Colour>, Vec<u8>) {
    let colours = || pixels.chunks_exact(4).map(|pixel| [pixel[0], pixel[1], pixel[2]]);
    let mut counts: HashMap<Colour, u32> = HashMap::new();
    let mut runs: Vec<(Colour, u32)> = Vec::new();
    for colour in colours() {
        match runs.last_mut() {
            Some((last, length)) if *last == colour => *length += 1,
            _ => runs.push((colour, 1)),
        }
    }
    for (colour, length) in &runs {
        *counts.entry(*colour).or_default() += length;
    }
    let mut ranked: Vec<(Colour, u32)> = counts.into_iter().collect();
    // By colour where two are as frequent: the same picture has the same palette.
    ranked.sort_by_key(|(colour, count)| (std::cmp::Reverse(*count), *colour));
    let palette: Vec<Colour> = ranked.iter().take(MOST_COLOURS).map(|(colour, _)| *colour).collect();
    let places: HashMap<Colour, u8> = ranked.iter().map(|(colour, _)| (*colour, nearest(&palette, *colour))).collect();
    let mut indices = Vec::with_capacity(pixels.len() / 4);
    for (colour, length) in runs {
        indices.resize(indices.len() + length as usize, places[&colour]);
    }
    (palette, indices)
}

fn nearest(palette: &[Colour], colour: Colour) -> u8 {
    let distance = |other: &Colour| -> u32 { other.iter().zip(colour).map(|(a, b)| u32::from(a.abs_diff(b)).pow(2)).sum() };
    let best = palette.iter().enumerate().min_by_key(|(_, other)| distance(other)).map(|(index, _)| index);
    best.and_then(|index| u8::try_from(index).ok()).unwrap_or_default()
}

fn encoded(palette: &[Colour], indices: &[u8]) -> Result<Vec<u8>, png::EncodingError> {
    let mut bytes = Vec::with_capacity(64 * 1024);
    let mut encoder = png::Encoder::new(&mut bytes, WIDTH, HEIGHT);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_palette(palette.concat());
    encoder.set_filter(png::Filter::NoFilter);
    encoder.set_deflate_compression(png::DeflateCompression::Level(2));
    let mut writer = encoder.write_header()?;
    writer.write_image_data(indices)?;
    writer.finish()?;
    Ok(bytes)
}
