//! Sound from folders of WAV files, whose names say what is heard.

use std::path::Path;

use hound::{SampleFormat, WavReader};

use super::Examples;
use super::files::{classes, labelled_files};
use crate::{Error, Result};

/// What a folder of sounds must have, and what is taken of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sounds {
    /// How a file's path below the folder is read: `{label}_{speaker}_{recording}.wav`, or `{label}/{file}.wav`. The field
    /// `label` is the class.
    pub name: String,
    /// Of all files.
    pub sample_rate_hz: u32,
    /// Samples of an example: longer sounds lose equally much at both ends, shorter ones get zeros there.
    pub clip_samples: usize,
}

/// Reads all WAV files (16 bits, one channel) of a folder and those within it, in the order of their paths: samples of
/// `[clip_samples]`. The classes are the labels, in the order of numbers or of the alphabet.
///
/// # Errors
/// If the folder or a file cannot be read, a file's name does not match, or it holds another kind of sound; names it.
pub fn read_sounds(folder: &Path, sounds: &Sounds) -> Result<Examples<i16>> {
    let files = labelled_files(folder, "wav", &sounds.name)?;
    let mut x = Vec::new();
    for file in &files {
        x.extend(read_clip(&file.path, sounds)?);
    }
    let (classes, labels) = classes(files.iter().map(|file| file.fields["label"].as_str()));
    let fields = files.into_iter().map(|file| file.fields).collect();
    Ok(Examples { dims: vec![sounds.clip_samples], x, labels, classes, fields, targets: Vec::new() })
}

/// The samples around the middle of a WAV file, as many as an example has.
///
/// # Errors
/// As [`read_wav`].
pub fn read_clip(path: &Path, sounds: &Sounds) -> Result<Vec<i16>> {
    Ok(centred(&read_wav(path, sounds.sample_rate_hz)?, sounds.clip_samples).collect())
}

/// The samples of a WAV file.
///
/// # Errors
/// If it cannot be read, or holds another kind of sound than 16 bits of one channel at this rate.
pub fn read_wav(path: &Path, sample_rate_hz: u32) -> Result<Vec<i16>> {
    let wrong = |what: String| Error::File { path: path.to_owned(), what };
    let bytes = std::fs::read(path).map_err(Error::io(path))?;
    let reader =
        WavReader::new(&bytes[..]).map_err(|e| wrong(format!("is no WAV file that can be read ({e})")))?;
    let spec = reader.spec();
    if (spec.channels, spec.bits_per_sample, spec.sample_format) != (1, 16, SampleFormat::Int) {
        return Err(wrong(format!(
            "has {} channels of {} bits ({:?}); one of 16 bits (Int) is read: convert it, e.g. sox IN.wav -c 1 -b 16 OUT.wav",
            spec.channels, spec.bits_per_sample, spec.sample_format
        )));
    }
    if spec.sample_rate != sample_rate_hz {
        let rate = spec.sample_rate;
        return Err(wrong(format!(
            "has {rate} samples a second, {sample_rate_hz} are expected: convert it, e.g. sox IN.wav -r {sample_rate_hz} OUT.wav"
        )));
    }
    reader.into_samples().collect::<Result<_, _>>().map_err(|e| wrong(format!("is damaged ({e})")))
}

/// `n` samples around the middle of a sound, with zeros where it has none.
fn centred(pcm: &[i16], n: usize) -> impl Iterator<Item = i16> {
    let missing = n as isize - pcm.len() as isize;
    let start = missing.div_euclid(2);
    (0..n as isize)
        .map(move |i| usize::try_from(i - start).ok().and_then(|i| pcm.get(i)).copied().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clips_are_cut_and_filled_at_both_ends() {
        let clip = |pcm: &[i16], n| centred(pcm, n).collect::<Vec<_>>();
        assert_eq!(clip(&[1, 2], 5), [0, 1, 2, 0, 0]);
        assert_eq!(clip(&[1, 2, 3, 4, 5], 2), [3, 4]);
        assert_eq!(clip(&[1, 2, 3], 3), [1, 2, 3]);
    }

    #[test]
    fn a_folder_becomes_examples() {
        let folder = tempfile::tempdir().unwrap();
        let sounds = Sounds { name: "{label}/{take}.wav".into(), sample_rate_hz: 8000, clip_samples: 4 };
        let write = |name: &str, rate: u32, channels: u16, pcm: &[i16]| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            let spec = hound::WavSpec {
                channels,
                sample_rate: rate,
                bits_per_sample: 16,
                sample_format: SampleFormat::Int,
            };
            let mut writer = hound::WavWriter::create(path, spec).unwrap();
            pcm.iter().for_each(|&sample| writer.write_sample(sample).unwrap());
            writer.finalize().unwrap();
        };
        let error = || read_sounds(folder.path(), &sounds).unwrap_err().to_string();
        assert!(error().contains("has no .wav files"));
        write("yes/1.wav", 8000, 1, &[1, -2, 3, -4]);
        write("no/2.wav", 8000, 1, &[5]);
        let examples = read_sounds(folder.path(), &sounds).unwrap();
        assert_eq!((examples.classes.join(" "), &examples.labels[..]), ("no yes".into(), &[0, 1][..]));
        assert_eq!(examples.x, [0, 5, 0, 0, 1, -2, 3, -4]);
        assert_eq!(examples.fields[1]["take"], "1");
        write("no/3.wav", 16000, 1, &[5]);
        assert!(error().contains("3.wav: has 16000 samples a second, 8000 are expected"), "{}", error());
        write("no/3.wav", 8000, 2, &[5, 6]);
        assert!(error().contains("has 2 channels of 16 bits"), "{}", error());
        std::fs::write(folder.path().join("no/3.wav"), b"RIFFnothing").unwrap();
        assert!(error().contains("3.wav: is no WAV file"), "{}", error());
        std::fs::rename(folder.path().join("no/3.wav"), folder.path().join("3.wav")).unwrap();
        assert!(error().contains("3.wav: its name does not match"), "{}", error());
    }
}
