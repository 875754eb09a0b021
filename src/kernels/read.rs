//! Reading memory as fast as the kernels can, to learn what bounds them.

use std::hint::black_box;
use std::time::Instant;

use super::cpu::Isa;
use super::pool;

/// What is read to learn the bandwidth: more than caches hold.
pub const ENOUGH_BYTES: usize = 512 << 20;
const SWEEPS: usize = 8;

/// Bytes that a thread takes at a time.
const PIECE_BYTES: usize = 1 << 20;
/// How far ahead bytes are asked for, as the products do.
#[cfg(target_arch = "x86_64")]
const AHEAD: usize = 8192;

/// Bytes a second that `parts` are read with, the best of several sweeps.
pub fn bandwidth(parts: &[&[u8]]) -> f64 {
    let bytes: usize = parts.iter().map(|part| part.len()).sum();
    let sweep = || {
        let started = Instant::now();
        black_box(read(parts));
        bytes as f64 / started.elapsed().as_secs_f64()
    };
    (0..SWEEPS).map(|_| sweep()).fold(0.0, f64::max)
}

/// Bytes a second that memory is read with, over a buffer of `bytes` that is taken for it; `None` where there is no room.
pub fn bandwidth_of_buffer(bytes: usize) -> Option<f64> {
    let mut buffer = Vec::new();
    buffer.try_reserve_exact(bytes).ok()?;
    // Written to, so that it is memory and not a promise of it.
    buffer.resize(bytes, 1u8);
    Some(bandwidth(&[&buffer]))
}

/// Reads all of `parts` once, over the threads, and returns the sum of their 8-byte words, wrapping, in whatever order
/// of bytes the processor has. What does not fill 64 bytes at the end of a piece of a part is left out.
fn read(parts: &[&[u8]]) -> u64 {
    let pieces: Vec<&[u8]> = parts.iter().flat_map(|part| part.chunks(PIECE_BYTES)).collect();
    let mut sums = vec![0; pieces.len()];
    pool::for_each_chunk(&mut sums, 1, |index, sum| sum[0] = sum_of(pieces[index], Isa::best()));
    sums.iter().fold(0, |total: u64, sum| total.wrapping_add(*sum))
}

fn sum_of(bytes: &[u8], isa: Isa) -> u64 {
    match isa {
        // SAFETY: the processor has what `Isa` names.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512Vnni => unsafe { avx512(bytes) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 | Isa::AvxVnni => unsafe { avx2(bytes) },
        _ => portable(bytes),
    }
}

fn portable(bytes: &[u8]) -> u64 {
    let mut sums = [0u64; 8];
    for line in bytes.as_chunks::<64>().0 {
        for (sum, word) in sums.iter_mut().zip(line.as_chunks::<8>().0) {
            *sum = sum.wrapping_add(u64::from_ne_bytes(*word));
        }
    }
    total(sums)
}

/// # Safety
/// The processor must have AVX-512 F.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn avx512(bytes: &[u8]) -> u64 {
    use std::arch::x86_64::*;
    let mut sums = [_mm512_setzero_si512(); 4];
    let (fours, rest) = bytes.as_chunks::<256>();
    for lines in fours {
        for line in 0..4 {
            _mm_prefetch::<_MM_HINT_T0>(lines.as_ptr().wrapping_add(AHEAD + 64 * line).cast());
        }
        for (i, sum) in sums.iter_mut().enumerate() {
            // SAFETY: 64 bytes within the 256; unaligned loads are allowed.
            *sum = _mm512_add_epi64(*sum, unsafe { _mm512_loadu_si512(lines.as_ptr().add(64 * i).cast()) });
        }
    }
    let sum = _mm512_add_epi64(_mm512_add_epi64(sums[0], sums[1]), _mm512_add_epi64(sums[2], sums[3]));
    (_mm512_reduce_add_epi64(sum) as u64).wrapping_add(portable(rest))
}

/// # Safety
/// The processor must have AVX2.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn avx2(bytes: &[u8]) -> u64 {
    use std::arch::x86_64::*;
    let mut sums = [_mm256_setzero_si256(); 8];
    let (fours, rest) = bytes.as_chunks::<256>();
    for lines in fours {
        for line in 0..4 {
            _mm_prefetch::<_MM_HINT_T0>(lines.as_ptr().wrapping_add(AHEAD + 64 * line).cast());
        }
        for (i, sum) in sums.iter_mut().enumerate() {
            // SAFETY: 32 bytes within the 256; unaligned loads are allowed.
            *sum = _mm256_add_epi64(*sum, unsafe { _mm256_loadu_si256(lines.as_ptr().add(32 * i).cast()) });
        }
    }
    let mut out = [0u64; 8];
    for pair in sums.chunks_exact(2) {
        let mut words = [0u64; 4];
        // SAFETY: `words` is 32 bytes; unaligned stores are allowed.
        unsafe { _mm256_storeu_si256(words.as_mut_ptr().cast(), _mm256_add_epi64(pair[0], pair[1])) };
        for (sum, word) in out.iter_mut().zip(words) {
            *sum = sum.wrapping_add(word);
        }
    }
    total(out).wrapping_add(portable(rest))
}

fn total(sums: [u64; 8]) -> u64 {
    sums.into_iter().fold(0, u64::wrapping_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_instruction_set_reads_every_whole_line() {
        let bytes: Vec<u8> = (0..PIECE_BYTES + 1000).map(|i| (i * i % 251) as u8).collect();
        // Any alignment, and ends that fill no load.
        for (start, len) in [(0, 0), (0, 63), (1, 64), (3, 255), (5, 256), (7, 320 + 17), (11, 4096 + 192), (13, 5000)]
        {
            let bytes = &bytes[start..start + len];
            let words = bytes[..len / 64 * 64].chunks_exact(8).map(|w| u64::from_ne_bytes(w.try_into().unwrap()));
            let expected = words.fold(0, u64::wrapping_add);
            for isa in Isa::available() {
                assert_eq!(sum_of(bytes, isa), expected, "{isa:?}, {len} bytes from {start}");
            }
        }
        let (first, second) = bytes.split_at(PIECE_BYTES + 64);
        let expected = portable(first).wrapping_add(portable(second));
        assert_eq!(read(&[first, second]), expected);
        assert_eq!(read(&[]), 0);
    }
}
