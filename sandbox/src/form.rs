//! Reads a multipart body as it arrives: text fields whole, files only measured, so that an upload of any size costs no
//! memory. A body that is cut short is an error, and its reader creates nothing.

use axum::extract::Multipart;
use axum::extract::multipart::{Field, MultipartError};

use super::content::{Content, Measure};
use super::journal::Trace;

/// The largest text field; purposes, paths and small JSON documents are far below it.
const MAX_TEXT_BYTES: usize = 256 * 1024;

/// More parts than any documented form has.
const MAX_PARTS: usize = 1_000;

/// A form that arrived whole.
#[derive(Debug, Default)]
pub struct Form {
    pub texts: Vec<(String, String)>,
    pub files: Vec<(String, Upload)>,
}

/// A file that arrived whole.
#[derive(Debug, Clone)]
pub struct Upload {
    pub filename: String,
    pub content_type: Option<String>,
    pub content: Content,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the multipart body is broken or was cut short: {0}")]
    Broken(#[from] MultipartError),
    #[error("the text field `{0}` is too long")]
    TextTooLong(String),
    #[error("the form has too many parts")]
    TooManyParts,
    #[error("a file is larger than {0} bytes")]
    FileTooLarge(u64),
}

impl Form {
    /// Reads all of `multipart`; a part with a filename is a file. `watch` sees each file's bytes as they pass.
    pub async fn read(
        mut multipart: Multipart,
        trace: &Trace,
        max_file_bytes: u64,
        mut watch: impl FnMut(&[u8]),
    ) -> Result<Form, Error> {
        let mut form = Form::default();
        while let Some(mut field) = multipart.next_field().await? {
            if form.texts.len() + form.files.len() >= MAX_PARTS {
                return Err(Error::TooManyParts);
            }
            let name = field.name().unwrap_or_default().to_owned();
            let Some(filename) = field.file_name().map(str::to_owned) else {
                let value = text(field, &name).await?;
                trace.text_part(&name, &value);
                form.texts.push((name, value));
                continue;
            };
            let mut measure = Measure::default();
            while let Some(chunk) = field.chunk().await? {
                measure.update(&chunk);
                if measure.size() > max_file_bytes {
                    return Err(Error::FileTooLarge(max_file_bytes));
                }
                watch(&chunk);
            }
            let upload = Upload {
                filename,
                content_type: field.content_type().map(str::to_owned),
                content: measure.finish(),
            };
            trace.file_part(&name, &upload.filename, upload.content_type.as_deref(), &upload.content);
            form.files.push((name, upload));
        }
        Ok(form)
    }

    /// The first text field of this name.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.texts.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The first file of this name.
    pub fn file(&self, name: &str) -> Option<&Upload> {
        self.files.iter().find(|(known, _)| known == name).map(|(_, upload)| upload)
    }
}

async fn text(mut field: Field<'_>, name: &str) -> Result<String, Error> {
    let mut value = Vec::new();
    while let Some(chunk) = field.chunk().await? {
        value.extend_from_slice(&chunk);
        if value.len() > MAX_TEXT_BYTES {
            return Err(Error::TextTooLong(name.to_owned()));
        }
    }
    Ok(String::from_utf8_lossy(&value).into_owned())
}
