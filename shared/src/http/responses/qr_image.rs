//! QR codes as images.

use qrcode::{Color, EcLevel, QrCode, render::svg};

/// The quiet zone on each side, in modules (ISO/IEC 18004).
const QUIET_ZONE: usize = 4;

/// The minimum width of an image, in pixels.
const MINIMUM_WIDTH: usize = 300;

/// Why a QR code can't be drawn.
#[derive(Debug, thiserror::Error)]
pub enum QrError {
    /// Over 2,331 bytes, the most that fits at error correction level M.
    #[error("the text doesn't fit into a QR code")]
    Text(#[source] qrcode::types::QrError),
    /// The PNG encoder failed.
    #[error("the image couldn't be encoded")]
    Png(#[source] png::EncodingError),
}

/// Draws a black and white PNG, at least 300 pixels wide. Modules have whole pixels, because blurred edges make scanners
/// fail.
pub fn png(text: &str) -> Result<Vec<u8>, QrError> {
    let code = encode(text)?;
    let modules = code.width() + 2 * QUIET_ZONE;
    let scale = MINIMUM_WIDTH.div_ceil(modules);
    let width = modules * scale;
    let row_bytes = width.div_ceil(8);
    let mut pixels = Vec::with_capacity(row_bytes * width);
    for y in 0..modules {
        let mut row = vec![0xff_u8; row_bytes];
        for x in (0..width).filter(|x| is_dark(&code, x / scale, y)) {
            row[x / 8] &= !(0x80 >> (x % 8));
        }
        for _ in 0..scale {
            pixels.extend_from_slice(&row);
        }
    }
    let mut file = Vec::new();
    let size = u32::try_from(width).unwrap_or(u32::MAX);
    let mut encoder = png::Encoder::new(&mut file, size, size);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    encoder
        .write_header()
        .and_then(|mut writer| writer.write_image_data(&pixels).and_then(|()| writer.finish()))
        .map_err(QrError::Png)?;
    Ok(file)
}

/// Draws an SVG, at least 300 pixels wide by default.
pub fn svg(text: &str) -> Result<String, QrError> {
    let code = encode(text)?;
    let modules = code.width() + 2 * QUIET_ZONE;
    let scale = u32::try_from(MINIMUM_WIDTH.div_ceil(modules)).unwrap_or(1);
    Ok(code.render::<svg::Color<'_>>().module_dimensions(scale, scale).build())
}

fn encode(text: &str) -> Result<QrCode, QrError> {
    QrCode::with_error_correction_level(text, EcLevel::M).map_err(QrError::Text)
}

/// Whether a module is dark. `x` and `y` start at the corner of the quiet zone.
fn is_dark(code: &QrCode, x: usize, y: usize) -> bool {
    let inside = QUIET_ZONE..QUIET_ZONE + code.width();
    inside.contains(&x) && inside.contains(&y) && code[(x - QUIET_ZONE, y - QUIET_ZONE)] == Color::Dark
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Returns the width in pixels, and one luminance byte per pixel.
    fn decode_png(file: &[u8]) -> (usize, Vec<u8>) {
        let mut decoder = png::Decoder::new(std::io::Cursor::new(file));
        decoder.set_transformations(png::Transformations::EXPAND);
        let mut reader = decoder.read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        assert_eq!(info.width, info.height);
        (info.width as usize, pixels)
    }

    /// Draws the rectangles of the SVG's path (`M x y h w v h H x V y`).
    fn rasterize(svg: &str) -> (usize, Vec<u8>) {
        let width: usize = svg.split("width=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap();
        let mut pixels = vec![0xff; width * width];
        let path = svg.rsplit(" d=\"").next().unwrap().split('"').next().unwrap();
        for rectangle in path.split('M').skip(1) {
            let numbers: Vec<usize> =
                rectangle.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect();
            let [x, y, w, h, ..] = numbers[..] else { panic!("{rectangle}") };
            for row in y..y + h {
                pixels[row * width + x..row * width + x + w].fill(0);
            }
        }
        (width, pixels)
    }

    fn scan((width, pixels): (usize, Vec<u8>)) -> String {
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(width, width, |x, y| pixels[y * width + x]);
        let grids = image.detect_grids();
        assert_eq!(grids.len(), 1, "one code in the image");
        grids[0].decode().unwrap().1
    }

    #[test]
    fn every_length_up_to_500_scans_in_both_formats() {
        for length in 1..=500 {
            let text: String = "https://wa.me/15550001111?text=Link%20".chars().cycle().take(length).collect();
            assert_eq!(scan(decode_png(&png(&text).unwrap())), text, "png, {length}");
            assert_eq!(scan(rasterize(&svg(&text).unwrap())), text, "svg, {length}");
        }
    }

    #[test]
    fn images_are_wide_enough_with_whole_pixels_and_a_quiet_zone() {
        for length in [1, 50, 250, 500] {
            let text = "x".repeat(length);
            let modules = encode(&text).unwrap().width() + 8;
            for (width, pixels) in [decode_png(&png(&text).unwrap()), rasterize(&svg(&text).unwrap())] {
                assert!(width >= 300);
                assert_eq!(width % modules, 0);
                let quiet = 4 * width / modules;
                assert!(pixels[..quiet * width].iter().all(|&pixel| pixel == 0xff));
                assert!(pixels[quiet * width..][..width].contains(&0), "the quiet zone has four modules, not more");
            }
        }
    }

    #[test]
    fn a_text_that_does_not_fit_is_an_error() {
        assert!(matches!(png(&"x".repeat(2_400)), Err(QrError::Text(_))));
        assert!(matches!(svg(&"x".repeat(2_400)), Err(QrError::Text(_))));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_text_scans(text in "\\PC{1,120}") {
            prop_assert_eq!(scan(decode_png(&png(&text).unwrap())), text);
        }
    }
}
