//! The QR codes and short links of a number (Meta, *QR codes and short links*).

use png::{BitDepth, ColorType, Encoder, EncodingError};
use qrcode::{Color, QrCode as Symbol, render::svg, types::QrError};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use thiserror::Error;

use crate::whatsapp::{clock::random, fields, graph_error::GraphError, parameters::Parameters};

const MAX_CODES: usize = 2000;
const MAX_CHARACTERS: usize = 140;
/// A module of a PNG image in pixels.
const MODULE_PIXELS: usize = 8;
/// The margin around a QR code in modules (ISO/IEC 18004).
const MARGIN: usize = 4;

/// A QR code and its short link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::whatsapp) struct QrCode {
    /// 14 letters and digits.
    pub(in crate::whatsapp) code: String,
    pub(in crate::whatsapp) prefilled_message: String,
}

/// The QR codes of a number, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(in crate::whatsapp) struct QrCodes(Vec<QrCode>);

/// The format of a QR code's image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::whatsapp) enum ImageFormat {
    Svg,
    Png,
}

/// An image can't be created.
#[derive(Debug, Error)]
pub(in crate::whatsapp) enum ImageError {
    #[error("cannot create a QR code")]
    Symbol(#[from] QrError),
    #[error("cannot encode a PNG image")]
    Png(#[from] EncodingError),
    #[error("the QR code is too large")]
    Size(#[from] std::num::TryFromIntError),
}

impl QrCodes {
    pub(in crate::whatsapp) fn all(&self) -> &[QrCode] {
        &self.0
    }

    pub(in crate::whatsapp) fn get(&self, code: &str) -> Option<&QrCode> {
        self.0.iter().find(|qr| qr.code == code)
    }

    /// Creates a QR code.
    pub(in crate::whatsapp) fn create(&mut self, parameters: &Parameters) -> Result<QrCode, GraphError> {
        let prefilled_message = prefilled_message(parameters)?;
        if self.0.len() >= MAX_CODES {
            return Err(GraphError::parameter(&format!("A phone number can have at most {MAX_CODES} QR codes.")));
        }
        let qr = QrCode { code: new_code(), prefilled_message };
        self.0.insert(0, qr.clone());
        Ok(qr)
    }

    /// Changes the message of a QR code. Returns `None` if it doesn't exist.
    pub(in crate::whatsapp) fn update(
        &mut self,
        code: &str,
        parameters: &Parameters,
    ) -> Result<Option<QrCode>, GraphError> {
        let prefilled_message = prefilled_message(parameters)?;
        let Some(qr) = self.0.iter_mut().find(|qr| qr.code == code) else { return Ok(None) };
        qr.prefilled_message = prefilled_message;
        Ok(Some(qr.clone()))
    }

    /// Deletes a QR code. Returns whether it existed.
    pub(in crate::whatsapp) fn remove(&mut self, code: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|qr| qr.code != code);
        self.0.len() < before
    }
}

impl QrCode {
    /// Returns the link in the QR code, which opens a chat with the message.
    pub(in crate::whatsapp) fn link(&self) -> String {
        format!("https://wa.me/message/{}", self.code)
    }

    /// Returns the chosen fields. `qr_image_url.format(SVG)` adds the URL of an image, which `image_url` returns.
    pub(in crate::whatsapp) fn fields(
        &self,
        fields: Option<&[String]>,
        image_url: impl Fn(ImageFormat) -> String,
    ) -> Result<Value, GraphError> {
        let image = fields.into_iter().flatten().find(|field| field.starts_with("qr_image_url"));
        let format = image.map(|field| match field.split_once(".format(") {
            Some((_, name)) => ImageFormat::parse("format", name.trim_end_matches(')')),
            None => Ok(ImageFormat::Svg),
        });
        let all = json!({
            "code": self.code,
            "prefilled_message": self.prefilled_message,
            "deep_link_url": self.link(),
            "qr_image_url": format.transpose()?.map(image_url),
        });
        fields::choose(&all, fields, &[], "WhatsAppBusinessMessageQRDL")
    }

    /// Returns the image and its content type.
    pub(in crate::whatsapp) fn image(&self, format: ImageFormat) -> Result<(&'static str, Vec<u8>), ImageError> {
        let symbol = Symbol::new(self.link())?;
        match format {
            ImageFormat::Svg => Ok(("image/svg+xml", symbol.render::<svg::Color<'_>>().build().into_bytes())),
            ImageFormat::Png => Ok(("image/png", png(&symbol)?)),
        }
    }
}

impl ImageFormat {
    pub(in crate::whatsapp) fn parse(parameter: &str, name: &str) -> Result<ImageFormat, GraphError> {
        match name.to_ascii_uppercase().as_str() {
            "SVG" => Ok(ImageFormat::Svg),
            "PNG" => Ok(ImageFormat::Png),
            _ => Err(GraphError::not_one_of(parameter, &["PNG", "SVG"])),
        }
    }

    /// Returns the extension of a file name.
    pub(in crate::whatsapp) fn extension(self) -> &'static str {
        match self {
            ImageFormat::Svg => "svg",
            ImageFormat::Png => "png",
        }
    }
}

fn prefilled_message(parameters: &Parameters) -> Result<String, GraphError> {
    let message = parameters.required_string("prefilled_message")?;
    if message.chars().count() > MAX_CHARACTERS {
        return Err(GraphError::too_long("prefilled_message", MAX_CHARACTERS));
    }
    Ok(message)
}

fn new_code() -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let letter = |byte: u8| char::from(ALPHABET[usize::from(byte % 32)]);
    let code: String = random().as_bytes().iter().take(13).map(|byte| letter(*byte)).collect();
    format!("{code}1")
}

fn png(symbol: &Symbol) -> Result<Vec<u8>, ImageError> {
    let (modules, colors) = (symbol.width(), symbol.to_colors());
    let side = (modules + 2 * MARGIN) * MODULE_PIXELS;
    let is_dark = |x: usize, y: usize| {
        let module = |pixel: usize| (pixel / MODULE_PIXELS).checked_sub(MARGIN).filter(|module| *module < modules);
        let (Some(x), Some(y)) = (module(x), module(y)) else { return false };
        colors.get(y * modules + x) == Some(&Color::Dark)
    };
    let pixels = (0..side).flat_map(|y| (0..side).map(move |x| (x, y)));
    let pixels: Vec<u8> = pixels.map(|(x, y)| if is_dark(x, y) { 0 } else { 255 }).collect();
    let size = u32::try_from(side)?;
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, size, size);
    encoder.set_color(ColorType::Grayscale);
    encoder.set_depth(BitDepth::Eight);
    encoder.write_header()?.write_image_data(&pixels)?;
    Ok(file)
}

#[cfg(test)]
mod tests;
