//! The keyword application on people who say digits: from samples to words that are heard, with the network of
//! `models/recipes/spoken_digits.toml`.

use std::cell::Cell;
use std::convert::Infallible;
use std::path::Path;

use dunlin::{Arena, Model, Session, frontend::Config, ops};
use dunlin_apps::keyword::{Error, Keyword, Settings};
use dunlin_converter::data::{Sounds, read_clip};
use dunlin_converter::device;
use dunlin_converter::file::ModelFile;
use dunlin_converter::nn::Progress;
use dunlin_converter::program::AlignedBytes;
use dunlin_converter::program::Rewrite;
use dunlin_models::recipe::{Options, Recipe, run};
use dunlin_tests::assets;

const CONFIG: Config = Config::SPEECH_8_KHZ;
/// A second: 49 rows of ten features.
const WINDOW: usize = 490;
const CLIP_SAMPLES: usize = 8000;
/// Every seventh of the recordings that training never saw.
const EVERY: usize = 7;

fn train(recipe: &Recipe, assets: &Path, output: &Path) -> ModelFile {
    let options = Options {
        data: assets.join("data"),
        output: output.join("spoken_digits.dunlin"),
        seed: None,
        epochs: Some(4),
        resume: false,
        plan: Default::default(),
        rewrite: Rewrite::default(),
        progress: Progress::Quiet,
        tensorboard: None,
        curve: None,
        tflite: None,
    };
    run(recipe, &options, &mut |_| {}).unwrap();
    ModelFile::read(&options.output).unwrap()
}

/// The held-out recordings one after another, each in the middle of a second, and what is said.
fn speech(assets: &Path) -> (Vec<i16>, Vec<usize>) {
    let (mut pcm, mut digits) = (Vec::new(), Vec::new());
    let sounds = Sounds {
        name: "{label}_{speaker}_{recording}.wav".into(),
        sample_rate_hz: CONFIG.sample_rate_hz,
        clip_samples: CLIP_SAMPLES,
    };
    let people = ["george", "jackson", "lucas", "nicolas", "theo", "yweweler"];
    let recordings = (0..5).flat_map(|n| people.map(|person| (person, n)));
    let all = recordings.flat_map(|(person, n)| (0..10).map(move |digit| (digit, person, n)));
    for (i, (digit, person, recording)) in all.enumerate() {
        if i % EVERY == 0 {
            let path = assets.join(format!("data/fsdd/{digit}_{person}_{recording}.wav"));
            pcm.extend(read_clip(&path, &sounds).unwrap());
            digits.push(digit);
        }
    }
    (pcm, digits)
}

#[test]
fn digits_that_are_said_are_heard() {
    let Some(assets) = assets::folder() else { return };
    let recipe = Recipe::read(&device::home().unwrap().join("models/recipes/spoken_digits.toml")).unwrap();
    assert_eq!(recipe.front_end(), Some(CONFIG));
    let dir = tempfile::tempdir().unwrap();
    let file = train(&recipe, &assets, dir.path());
    let model = Model::check(file.bytes(), ops::ALL).unwrap();
    let mut arena = AlignedBytes::zeroed(model.arena_bytes());
    let mut session = Session::new(&model, &mut arena).unwrap();

    let (pcm, said) = speech(&assets);
    let mut memory = Arena::<{ CONFIG.memory_bytes() }>::new();
    // A word is heard where the network says so for five runs, 0.2 s, and then for a second no other.
    let settings = Settings { stride_rows: 2, threshold: 0.8, pause_runs: 24 };
    let position = Cell::new(0);
    let microphone = |block: &mut [i16]| -> Result<usize, Infallible> {
        let now = &pcm[position.get()..];
        let n = block.len().min(now.len());
        block[..n].copy_from_slice(&now[..n]);
        position.set(position.get() + n);
        Ok(n)
    };
    let mut keyword = Keyword::<_, WINDOW, 10, 5>::new(microphone, CONFIG, &mut memory, settings).unwrap();
    let mut heard = vec![Vec::new(); said.len() + 1];
    loop {
        match keyword.next(&mut session) {
            Ok(None) => {}
            Ok(Some(decision)) => {
                heard[position.get() / CLIP_SAMPLES].push((position.get() % CLIP_SAMPLES, decision));
            }
            Err(Error::Ended) => break,
            Err(error) => panic!("{error:?}"),
        }
    }
    let (n_heard, n_said) = (heard.iter().flatten().count(), said.len());
    // A word is in the window from its middle to the middle of the next.
    let word_at = |clip: usize, at: usize, class: usize| {
        let mut words =
            [Some(clip), clip.checked_sub(1).filter(|_| at < CLIP_SAMPLES / 2)].into_iter().flatten();
        words.find(|word| said.get(*word) == Some(&class))
    };
    let mut found: Vec<_> = heard
        .iter()
        .enumerate()
        .flat_map(|(clip, heard)| heard.iter().filter_map(move |(at, it)| word_at(clip, *at, it.class)))
        .collect();
    let n_right = found.len();
    found.dedup();
    println!("{n_said} digits were said, {} of them were heard, {} others", found.len(), n_heard - n_right);
    assert!(found.len() * 10 >= n_said * 9 && n_heard <= n_right + 1, "{heard:?}");
}
