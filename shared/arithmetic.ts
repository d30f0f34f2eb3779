// The arithmetic of docs/arithmetic.md, which kernels, exact sum, Adam and noise follow bit by bit, has a number: it changes with the bits.

/** 1 was what runs had before there was a number. */
export const ARITHMETIC = 2;
