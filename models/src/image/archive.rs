//! An OCI image layout (image-spec 1.1) in one tar.

use std::collections::{BTreeMap, HashMap};
use std::str::FromStr;

use jiff::Timestamp;
use oci_spec::image::{
    Arch, Descriptor, DescriptorBuilder, Digest, ImageIndexBuilder, ImageManifest, MediaType,
    OciLayoutBuilder, Os, PlatformBuilder, SCHEMA_VERSION,
};
use serde::Serialize;
use tar::Builder;

use super::ImageError;
use super::layer::{Entry, append, digest};

/// Blobs by digest, and the manifests that tie them together.
#[derive(Debug, Default)]
pub struct Archive {
    /// By path, so that their order is that of their digests.
    blobs: BTreeMap<String, Vec<u8>>,
    manifests: Vec<Descriptor>,
}

impl Archive {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Adds a blob.
    pub(super) fn blob(&mut self, media_type: MediaType, bytes: Vec<u8>) -> Descriptor {
        let sum = digest(&bytes);
        let digest = Digest::from_str(&sum).unwrap_or_else(|_| unreachable!("{sum} is a digest"));
        let descriptor = Descriptor::new(media_type, bytes.len() as u64, digest);
        self.blobs.insert(format!("blobs/{}", sum.replace(':', "/")), bytes);
        descriptor
    }

    /// Adds a blob of JSON. The keys of maps are sorted on the way, because those of the types are in no order.
    pub(super) fn json(
        &mut self,
        media_type: MediaType,
        value: &impl Serialize,
    ) -> Result<Descriptor, ImageError> {
        Ok(self.blob(media_type, sorted(value)?))
    }

    /// Adds a manifest, which the index then names.
    pub(super) fn manifest(
        &mut self,
        manifest: &ImageManifest,
        platform: Option<(Os, Arch)>,
        reference: &str,
    ) -> Result<(), ImageError> {
        let blob = self.json(MediaType::ImageManifest, manifest)?;
        // The annotation's value is a whole name to containerd, and a tag to the tools that follow the specification.
        let tag = reference.rsplit_once(':').map_or("latest", |(_, tag)| tag);
        let names = HashMap::from([
            ("io.containerd.image.name".to_owned(), reference.to_owned()),
            ("org.opencontainers.image.ref.name".to_owned(), tag.to_owned()),
        ]);
        let mut descriptor = DescriptorBuilder::default()
            .media_type(MediaType::ImageManifest)
            .size(blob.size())
            .digest(blob.digest().clone())
            .annotations(names);
        if let Some((os, architecture)) = platform {
            descriptor =
                descriptor.platform(PlatformBuilder::default().os(os).architecture(architecture).build()?);
        }
        self.manifests.push(descriptor.build()?);
        Ok(())
    }

    /// `sha256:` of the manifest: what a pod names, and a registry shows.
    pub fn digest(&self) -> Option<String> {
        self.manifests.first().map(|manifest| manifest.digest().to_string())
    }

    /// Bytes that a node fetches: configuration and layers.
    pub fn bytes(&self) -> u64 {
        self.blobs.values().map(|blob| blob.len() as u64).sum()
    }

    /// The tar.
    ///
    /// # Errors
    /// None that another input would mend.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ImageError> {
        let layout = OciLayoutBuilder::default().image_layout_version("1.0.0").build()?;
        let index = ImageIndexBuilder::default()
            .schema_version(SCHEMA_VERSION)
            .media_type(MediaType::ImageIndex)
            .manifests(self.manifests.clone())
            .build()?;
        let (layout, index) = (sorted(&layout)?, sorted(&index)?);
        let mut builder = Builder::new(Vec::new());
        let ends = [("index.json", &index), ("oci-layout", &layout)];
        let blobs = self.blobs.iter().map(|(path, bytes)| (path.as_str(), bytes));
        for (path, bytes) in blobs.chain(ends) {
            append(&mut builder, &Entry { path, mode: 0o644, bytes }, Timestamp::UNIX_EPOCH)?;
        }
        Ok(builder.into_inner()?)
    }
}

/// JSON with sorted keys: `serde_json::Value` sorts them.
fn sorted(value: &impl Serialize) -> Result<Vec<u8>, ImageError> {
    Ok(serde_json::to_vec(&serde_json::to_value(value)?)?)
}
