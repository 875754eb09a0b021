//! The kernels for NEON with products of small matrices of bytes.

type NeonI8mm = super::neon::Neon<true>;

super::compiled!(NeonI8mm, super::attention::neon::Neon, "neon,dotprod,i8mm");
