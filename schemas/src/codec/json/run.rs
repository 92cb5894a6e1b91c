//! Runs of bytes that need no second look, found eight at a time: a log record is mostly text.
//!
//! Nothing is read beyond the slice that is given, and nothing is said of what follows a run.

/// How many bytes come before the first quote or backslash.
#[inline(always)]
pub(super) fn to_read(bytes: &[u8]) -> usize {
    run(bytes, |word| equal(word, b'"') | equal(word, b'\\'))
}

/// How many bytes come before the first that must be escaped.
pub(super) fn to_write(bytes: &[u8]) -> usize {
    long_run(bytes, |word| {
        equal(word, b'"') | equal(word, b'\\') | below_space(word)
    })
}

/// How many digits come first.
#[inline(always)]
pub(super) fn of_digits(bytes: &[u8]) -> usize {
    run(bytes, not_digit)
}

const ONES: u64 = u64::from_le_bytes([0x01; 8]);
const HIGHS: u64 = u64::from_le_bytes([0x80; 8]);

/// How many bytes come before the first that `special` marks. It is given eight bytes at once and
/// sets the high bit of those it means; bits above the lowest that it sets may be wrong.
#[inline(always)]
fn run(bytes: &[u8], special: impl Fn(u64) -> u64) -> usize {
    // Many runs end within the first eight, and then nothing is called.
    match bytes.split_first_chunk() {
        Some((word, rest)) => {
            marked(word, &special).unwrap_or_else(|| word.len() + long_run(rest, special))
        }
        None => long_run(bytes, special),
    }
}

#[inline]
fn long_run(bytes: &[u8], special: impl Fn(u64) -> u64) -> usize {
    let (words, tail) = bytes.as_chunks();
    for (at, word) in words.iter().enumerate() {
        if let Some(place) = marked(word, &special) {
            return at * word.len() + place;
        }
    }
    // Spaces stand in for the bytes that are missing: if they are special, it is behind those that are there.
    let mut last = [b' '; 8];
    last[..tail.len()].copy_from_slice(tail);
    bytes.len() - tail.len() + marked(&last, &special).unwrap_or(tail.len())
}

/// The place of the first byte that is marked.
#[inline(always)]
fn marked(word: &[u8; 8], special: impl Fn(u64) -> u64) -> Option<usize> {
    let marks = special(u64::from_le_bytes(*word)) & HIGHS;
    (marks != 0).then_some(marks.trailing_zeros() as usize / 8)
}

/// Marks the bytes that are zero after `^`; the usual trick of subtracting one from each.
#[inline(always)]
fn equal(word: u64, byte: u8) -> u64 {
    let differing = word ^ (ONES * u64::from(byte));
    differing.wrapping_sub(ONES) & !differing
}

/// Digits become 0 to 9, and all else is 10 or more then.
#[inline(always)]
fn not_digit(word: u64) -> u64 {
    let values = word ^ (ONES * u64::from(b'0'));
    values.wrapping_add(ONES * 0x76) | values
}

#[inline(always)]
fn below_space(word: u64) -> u64 {
    word.wrapping_sub(ONES * 0x20) & !word
}
